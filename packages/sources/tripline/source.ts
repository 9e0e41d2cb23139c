import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { brokerEventTypes } from '@tripline/contracts/internal';
import { z } from 'zod';
import { parseJsonObject } from '../json.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { type SecretScope, type SecretSettings, triplineSecrets } from '../secrets.ts';
import { type Delivery, headerOf, type Normalised, type Source } from '../source.ts';
import { cleanJson, text, utc } from '../untrusted.ts';
import type { Workspaces } from '../workspace.ts';
import { checkTriplineFeed } from './doctor.ts';
import { verifyStandard } from './verify.ts';

const breakglass = 'dev.cdeventsx.tripline-breakglass.opened';
const inventory = 'dev.cdeventsx.tripline-inventory.observed';

/** Tolerance between the start of a break-glass record and its receipt: clocks differ. */
const skewMs = 5 * 60_000;
/** How long break-glass may stay open. */
export const longestBreakGlassMs = 24 * 3_600_000;

/**
 * Events that people and `tripline attack` send to Tripline: CloudEvents in structured JSON, with the extension
 * attribute `workspace`. A break-glass record is accepted for the workspaces of the key that signed it. A baseline, and what the
 * access broker says, are accepted for drills only: over HTTP nobody may teach a real workspace that their runner is usual, or
 * that a stolen credential was given to a job.
 */
export const tripline: Source<SecretSettings> = {
  name: 'tripline',
  routes: ['/webhooks/tripline'],
  encodings: [],
  secrets: triplineSecrets,
  internalKey: keyOf,
  doctor: checkTriplineFeed,
  contentTypes: ['application/cloudevents+json', 'application/json'],
  contentTypeAdvice: 'send a CloudEvent in structured mode as application/cloudevents+json',
  verify: verifyStandard,
  normalise,
  claimsOf: (headers) => ({ delivery: text(headerOf(headers, 'webhook-id'), 200) }),
};

/** The key that signed an event, with which its MAC in the log is computed. */
function keyOf({ workspace }: TriplineEvent, secretScope: SecretScope, settings: SecretSettings): string {
  if (secretScope.kind === 'drills') return settings.drillKey!;
  return settings.workspaces.find(({ id }) => id === workspace)!.breakGlassKeys![0]!;
}

/** The body of an event for `POST /webhooks/tripline`. Sign its JSON with `signStandard`, with `id` as the webhook-id. */
export function toCloudEvent(event: {
  id: string;
  type: EventType;
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
  if (!isTaken(type)) {
    const message = `Only ${breakglass} and ${inventory} are taken here, and in drills what the broker says`;
    return { refusal: refuse(400, 'unknown-event', message) };
  }
  if (id !== headerOf(delivery.headers, 'webhook-id')) {
    return { refusal: refuse(400, 'bad-delivery-id', 'webhook-id must be the id of the CloudEvent') };
  }
  const fault =
    faultOfWorkspace(delivery.secretScope, type, workspace, workspaces) ??
    (type === breakglass
      ? faultOfBounds(time, data['tripline.breakglass.expires_at'], delivery.receivedAtMs)
      : undefined);
  if (fault) return { refusal: fault };
  try {
    const event = parseEvent({
      id: `tripline:${id}`,
      source: cleanJson(source),
      type,
      time: utc(time) ?? new Date(delivery.receivedAtMs).toISOString(),
      workspace,
      trust: 'high',
      bodySha256: delivery.bodySha256,
      // The key is proved; the person named beside it is only claimed.
      data: {
        ...(cleanJson(data) as object),
        ...(type === breakglass ? { 'tripline.act.proof': `break-glass-key of ${workspace}` } : {}),
      },
    });
    return { event };
  } catch {
    return doesNotFit;
  }
}

const isTaken = (type: string): type is EventType =>
  type === breakglass || type === inventory || brokerEventTypes.has(type as EventType);

function faultOfWorkspace(
  secretScope: SecretScope,
  type: string,
  workspace: string,
  workspaces: Workspaces,
): Refusal | undefined {
  if (secretScope.kind === 'drills') {
    if (workspaces.isDrill(workspace)) return undefined;
    return refuse(401, 'wrong-organization', 'The drill key is valid for a drill’s workspace (tripline-drill-…) alone');
  }
  if (type !== breakglass) {
    const message =
      'A baseline, or what the broker says, is taken over HTTP only for a drill’s workspace (tripline-drill-…), with drills on';
    return refuse(422, 'unknown-workspace', message);
  }
  if (secretScope.kind === 'break-glass' && secretScope.ids.includes(workspace)) return undefined;
  const message = 'The key is no break-glass key of that workspace (workspaces[].breakGlassKeys)';
  return refuse(401, 'wrong-organization', message);
}

/** A record excuses nothing that was done before it was sent, and is valid for a day at most. */
function faultOfBounds(time: string | undefined, expiresAt: unknown, receivedAtMs: number): Refusal | undefined {
  const startMs = time === undefined ? receivedAtMs : Date.parse(time);
  const endMs = typeof expiresAt === 'string' ? Date.parse(expiresAt) : Number.NaN;
  const outOfBounds = (message: string) => refuse(422, 'out-of-bounds', message);
  if (Math.abs(startMs - receivedAtMs) > skewMs) {
    return outOfBounds('`time`, when break-glass begins, is more than 5 minutes from now; it is never retroactive');
  }
  // An invalid time is reported by the schema.
  if (endMs <= startMs) return outOfBounds('`tripline.breakglass.expires_at` lies before its beginning');
  if (endMs > startMs + longestBreakGlassMs) {
    return outOfBounds('Break-glass is open for 24 hours at most: `tripline.breakglass.expires_at` is later');
  }
  return undefined;
}

const doesNotFit: Normalised = {
  refusal: refuse(
    422,
    'body-does-not-fit-event',
    'The body is not a CloudEvent 1.0 with `workspace` and the attributes that its type needs',
  ),
};
