import { createHash } from 'node:crypto';
import { type EventType, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { github } from '@tripline/sources/github/source';
import { githubAudit } from '@tripline/sources/github-audit/source';
import type { Delivery } from '@tripline/sources/source';
import { tripline } from '@tripline/sources/tripline/source';
import type { Workspaces } from '@tripline/sources/workspace';
import { deliveriesOf, eventId, type ScenarioDelivery } from './deliveries.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

/** An event of a playing, and when it is received, ms since the epoch. */
export type PlayedEvent = { event: TriplineEvent; atMs: number };

/** Why a genuine delivery is set aside that no rule could use. */
const notRead: ReadonlySet<string> = new Set(['action-not-read', 'event-not-read']);
const sources = { github, 'github-audit': githubAudit, tripline };

/**
 * What the real feeds make of a scenario's deliveries, without a receiver, and the acts of people: the baseline first, then an
 * event a step that is read.
 * @throws when a delivery is refused, or left out though it should be read.
 */
export function eventsOf(
  scenario: Scenario,
  variant: 'attack' | 'benign',
  cast: Cast,
  workspaces: Workspaces,
): PlayedEvent[] {
  return deliveriesOf(scenario, variant, cast).flatMap((delivery) => {
    const atMs = cast.startMs + delivery.atMs;
    const { step } = delivery;
    const event = step?.source === 'person' ? ownEvent(cast, step) : eventOf(delivery, atMs, workspaces);
    return event === undefined ? [] : { event, atMs };
  });
}

/** What Tripline itself says: of an act of a person on it, or as its broker. */
export function ownEvent(cast: Cast, step: ScenarioStep): TriplineEvent {
  return parseEvent({
    id: eventId(cast, step),
    source: `//tripline/${cast.organization}`,
    type: step.source === 'person' ? ('dev.cdeventsx.tripline-act.performed' satisfies EventType) : step.event,
    time: new Date(cast.startMs + step.atMs).toISOString(),
    workspace: cast.organization,
    trust: 'high',
    data: step.body,
  });
}

/** Undefined for one of those that GitHub sends beside, and that are not read. */
function eventOf(delivery: ScenarioDelivery, receivedAtMs: number, workspaces: Workspaces): TriplineEvent | undefined {
  if (delivery.source === 'person') throw new Error('an act of a person is no delivery');
  const received: Delivery = {
    headers: delivery.headers,
    rawBody: delivery.body,
    bodySha256: createHash('sha256').update(delivery.body).digest('hex'),
    receivedAtMs,
    secretScope: { kind: 'drills' },
  };
  const normalised = sources[delivery.source].normalise(received, workspaces);
  if ('event' in normalised) return normalised.event;
  const [event] = 'events' in normalised ? normalised.events : [];
  if (event !== undefined) return event;
  if ('ignored' in normalised && notRead.has(normalised.ignored)) return undefined;
  throw new Error(`${delivery.step?.name ?? 'baseline'}: ${JSON.stringify(normalised)}`);
}
