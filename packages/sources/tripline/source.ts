import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, parseEvent } from '@tripline/contracts/event';
import { z } from 'zod';
import { type Delivery, headerOf, type Normalised, refuse, type Source } from '../contract.ts';
import { parseJsonObject } from '../json.ts';
import { cleanJson, text, utc } from '../untrusted.ts';
import type { Workspaces } from '../workspace.ts';
import { verifyStandard } from './verify.ts';

const breakglass = 'dev.cdeventsx.tripline-breakglass.opened';
const inventory = 'dev.cdeventsx.tripline-inventory.observed';

/**
 * What people and `tripline attack` tell Tripline themselves: CloudEvents in structured JSON, whose extension
 * attribute `workspace` says whose they are. A break-glass record is taken for any workspace. A baseline is taken for
 * a drill's only: over HTTP nobody may teach a real workspace that their runner is usual.
 */
export const tripline: Source = {
  name: 'tripline',
  contentTypes: ['application/cloudevents+json', 'application/json'],
  contentTypeAdvice: 'send a CloudEvent in structured mode as application/cloudevents+json',
  verify: verifyStandard,
  normalise,
  claimsOf: (headers) => ({ delivery: text(headerOf(headers, 'webhook-id'), 200) }),
};

/** The body of an event for `POST /webhooks/tripline`. Sign its JSON with `signStandard`, with `id` as the webhook-id. */
export function toCloudEvent(event: {
  id: string;
  type: typeof breakglass | typeof inventory;
  workspace: string;
  time: string;
  data: Attributes;
}) {
  return {
    specversion: '1.0',
    source: `//tripline/${event.workspace}`,
    datacontenttype: 'application/json',
    ...event,
  };
}

const cloudEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string().regex(/^[\w.:-]{1,200}$/),
  source: z.string().min(1).max(400),
  type: z.string(),
  time: z.iso.datetime({ offset: true }).optional(),
  workspace: z.string(),
  data: z.record(z.string(), z.unknown()),
});

function normalise(delivery: Delivery, workspaces: Workspaces): Normalised {
  const parsed = parseJsonObject(delivery.rawBody);
  if ('refusal' in parsed) return parsed;
  const fitted = cloudEvent.safeParse(parsed.body);
  if (!fitted.success) return doesNotFit;
  const { id, source, type, time, workspace, data } = fitted.data;
  if (type !== breakglass && type !== inventory) {
    return { refusal: refuse(400, 'unknown-event', `Only ${breakglass} and ${inventory} are taken here`) };
  }
  if (id !== headerOf(delivery.headers, 'webhook-id')) {
    return { refusal: refuse(400, 'bad-delivery-id', 'webhook-id must be the id of the CloudEvent') };
  }
  if (type === inventory && !workspaces.isDrill(workspace)) {
    const message = 'A baseline is taken over HTTP only for a drill’s workspace (tripline-drill-…), with drills on';
    return { refusal: refuse(422, 'unknown-workspace', message) };
  }
  if (!workspaces.knows(workspace)) {
    return { refusal: refuse(422, 'unknown-workspace', 'The workspace is not a configured one') };
  }
  try {
    const event = parseEvent({
      id: `tripline:${id}`,
      source: cleanJson(source),
      type: type satisfies EventType,
      time: utc(time) ?? new Date(delivery.receivedAtMs).toISOString(),
      workspace,
      trust: 'high',
      bodySha256: delivery.bodySha256,
      data: cleanJson(data),
    });
    return { event };
  } catch {
    return doesNotFit;
  }
}

const doesNotFit: Normalised = {
  refusal: refuse(
    422,
    'body-does-not-fit-event',
    'The body is not a CloudEvent 1.0 with `workspace` and the attributes that its type needs',
  ),
};
