import { randomUUID } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import type { Cast, Step } from '@tripline/scenarios/contract';
import { signGithub } from '@tripline/sources/github/verify';
import { toCloudEvent } from '@tripline/sources/tripline/source';
import { signStandard } from '@tripline/sources/tripline/verify';
import { UserError } from '../command.ts';

/** One HTTP request of a scenario, signed. */
export type Delivery = { path: string; headers: Record<string, string>; body: string };

export type Receiver = { url: string; secret: string };

/**
 * Posts a delivery.
 * @returns the receiver's status; only 2xx is one.
 * @throws {UserError} when nobody listens, or the receiver refuses: with its own reason, and what to do.
 */
export async function deliver(receiver: Receiver, delivery: Delivery): Promise<number> {
  let response: Response;
  try {
    response = await fetch(new URL(delivery.path, receiver.url), {
      method: 'POST',
      headers: delivery.headers,
      body: delivery.body,
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    const why = (error as Error).name === 'TimeoutError' ? 'does not answer within 10 s' : 'cannot be reached';
    throw new UserError(`Tripline at ${receiver.url} ${why}: start it with \`npx tripline up\`, or give its --url`);
  }
  const answer = await response.text();
  if (response.ok) return response.status;
  throw new UserError(`Tripline at ${receiver.url} refused a delivery with ${response.status}: ${reasonOf(answer)}`);
}

function reasonOf(answer: string): string {
  try {
    const { reason, message } = JSON.parse(answer).error;
    const advice =
      reason === 'bad-signature' ? '. Set TRIPLINE_GITHUB_WEBHOOK_SECRET to the secret that it was started with' : '';
    return `${message}${advice}`;
  } catch {
    return 'it is no Tripline';
  }
}

/** A step as its feed would send it: GitHub's headers and signature, or a CloudEvent of our own. */
export function signStep(step: Step, cast: Cast, secret: string): Delivery {
  if (step.source === 'tripline') {
    const time = new Date(cast.startMs + step.atMs).toISOString();
    return signCloudEvent({ type: step.event, workspace: cast.organization, time, data: step.body }, secret);
  }
  const body = JSON.stringify(step.body);
  return {
    path: '/webhooks/github',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'GitHub-Hookshot/tripline-attack',
      'x-github-event': step.event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': signGithub(body, secret),
    },
    body,
  };
}

/** What is true before the first step. */
export function signBaseline(baseline: Attributes, cast: Cast, secret: string): Delivery {
  const type = 'dev.cdeventsx.tripline-inventory.observed';
  const time = new Date(cast.startMs).toISOString();
  return signCloudEvent({ type, workspace: cast.organization, time, data: baseline }, secret);
}

/** A CloudEvent for Tripline's own route, signed by Standard Webhooks. */
export function signCloudEvent(
  event: { type: string; workspace: string; time: string; data: Record<string, unknown> },
  secret: string,
): Delivery {
  const id = randomUUID();
  const body = JSON.stringify(toCloudEvent({ id, ...event } as Parameters<typeof toCloudEvent>[0]));
  const seconds = Math.floor(Date.now() / 1000);
  return {
    path: '/webhooks/tripline',
    headers: {
      'content-type': 'application/cloudevents+json',
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': signStandard(body, secret, id, seconds),
    },
    body,
  };
}
