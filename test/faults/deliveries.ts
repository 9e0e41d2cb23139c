import { createHmac } from 'node:crypto';
import { makeCorpus } from '../bench/corpus.ts';

export const webhookSecret = 'faults-webhook-secret';

/** A signed delivery of GitHub's. */
export type Sent = { id: string; event: string; body: Buffer; signature: string };

/** Coherent timelines of `workspaces` organisations, some of them attacks, as GitHub would deliver them. */
export function someDeliveries(count: number, options: { seed?: number; workspaces?: number } = {}): Sent[] {
  const { seed = 7, workspaces = 12 } = options;
  const corpus = makeCorpus({ deliveries: count, workspaces, attackEvery: 10, seed, startMs: Date.now() });
  return corpus.deliveries.map(({ id, event, body }) => ({
    id,
    event,
    body,
    signature: `sha256=${createHmac('sha256', webhookSecret).update(body).digest('hex')}`,
  }));
}

/** Id of the event that a delivery becomes. */
const eventIdOf = ({ id }: Sent) => `github:${id}`;

/** Posts a delivery once; null when no answer came. `ignored`: it says nothing about access, and was not kept. */
async function post(base: string, delivery: Sent): Promise<{ status: number; ignored: boolean } | null> {
  try {
    const response = await fetch(`${base}/webhooks/github`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': delivery.event,
        'x-github-delivery': delivery.id,
        'x-hub-signature-256': delivery.signature,
      },
      body: new Uint8Array(delivery.body),
      signal: AbortSignal.timeout(15_000),
    });
    const { status } = (await response.json()) as { status?: string };
    return { status: response.status, ignored: status === 'ignored' };
  } catch {
    return null;
  }
}

/** Keeps account of what was sent and what was acknowledged. */
export function createSender(deliveries: readonly Sent[]) {
  let next = 0;
  const sent: Sent[] = [];
  const acknowledged = new Set<string>();
  const ignored = new Set<string>();
  const statuses = new Map<number | null, number>();
  const deliver = async (base: string, delivery: Sent) => {
    const answer = await post(base, delivery);
    const status = answer?.status ?? null;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (answer?.ignored) ignored.add(eventIdOf(delivery));
    else if (status !== null && status >= 200 && status < 300) acknowledged.add(eventIdOf(delivery));
    return status;
  };
  return {
    /** Sends the next one. Undefined when all were sent. */
    async sendNext(base: string): Promise<number | null | undefined> {
      const delivery = deliveries[next];
      if (delivery === undefined) return undefined;
      next += 1;
      sent.push(delivery);
      return deliver(base, delivery);
    },
    /** Sends again what was not acknowledged, as GitHub does when it is asked to. */
    async sendUnacknowledged(base: string): Promise<void> {
      for (const delivery of sent) {
        const id = eventIdOf(delivery);
        if (!acknowledged.has(id) && !ignored.has(id)) await deliver(base, delivery);
      }
    },
    acknowledged: (): ReadonlySet<string> => acknowledged,
    /** Ids of what was sent and may be kept. */
    sentIds: () => new Set(sent.map(eventIdOf).filter((id) => !ignored.has(id))),
    left: () => deliveries.length - next,
    /** How often each status was answered; null: no answer. */
    statuses: () => new Map(statuses),
  };
}
