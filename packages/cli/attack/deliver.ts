import type { ScenarioDelivery } from '@tripline/scenarios/deliveries';
import { drillHeader, signGithub } from '@tripline/sources/github/verify';
import { drillTokenOf } from '@tripline/sources/github-audit/tokens';
import { toCloudEvent } from '@tripline/sources/tripline/source';
import { signStandard } from '@tripline/sources/tripline/verify';
import { UserError } from '../command.ts';

/** One HTTP request of a scenario, signed. */
export type Delivery = { path: string; headers: Record<string, string>; body: Buffer };

export type Receiver = { url: string; secret: string };

/**
 * Posts a delivery.
 * @returns the receiver's status; only 2xx is one.
 * @throws {UserError} when nobody listens, or the receiver refuses: with its own reason, and what to do.
 */
export async function deliver(receiver: Pick<Receiver, 'url'>, delivery: Delivery): Promise<number> {
  let response: Response;
  try {
    response = await fetch(new URL(delivery.path, receiver.url), {
      method: 'POST',
      headers: delivery.headers,
      body: new Uint8Array(delivery.body),
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
    const { error, text } = JSON.parse(answer);
    // As collectors of HEC's protocol answer.
    if (error === undefined && typeof text === 'string') return text;
    return error.message;
  } catch {
    return 'it is no Tripline';
  }
}

/** A scenario's delivery, signed with the drill key in the way of its feed, or with the token that is made of it. */
export function signDelivery({ source, headers, body }: ScenarioDelivery, drillKey: string): Delivery {
  if (source === 'person') throw new Error('an act of a person is not posted');
  if (source === 'tripline') return signStandardly(headers, body, drillKey);
  if (source === 'github-audit') {
    const proved = { ...headers, authorization: `Splunk ${drillTokenOf(drillKey)}` };
    return { path: '/services/collector', headers: proved, body };
  }
  const signed = { ...headers, [drillHeader]: '1', 'x-hub-signature-256': signGithub(body, drillKey) };
  return { path: '/webhooks/github', headers: signed, body };
}

/** A CloudEvent for Tripline's own route, signed by Standard Webhooks. */
export function signCloudEvent(event: Parameters<typeof toCloudEvent>[0], secret: string): Delivery {
  const headers = { 'content-type': 'application/cloudevents+json', 'webhook-id': event.id };
  return signStandardly(headers, Buffer.from(JSON.stringify(toCloudEvent(event))), secret);
}

function signStandardly(headers: Record<string, string>, body: Buffer, secret: string): Delivery {
  const seconds = Math.floor(Date.now() / 1000);
  const signature = signStandard(body, secret, headers['webhook-id']!, seconds);
  const signed = { ...headers, 'webhook-timestamp': String(seconds), 'webhook-signature': signature };
  return { path: '/webhooks/tripline', headers: signed, body };
}
