import { createHmac, timingSafeEqual } from 'node:crypto';
import { drillPrefix } from './drill.ts';
import type { EventType } from './event.ts';
import { eventTypeOf } from './event-record.ts';

/**
 * Events that only the broker may write: what it gave, and when that ended. It is exposed to jobs, so it has a key of its own,
 * whose MAC makes nothing else trusted. What a job could write of itself would excuse a use of a stolen credential.
 */
export const brokerEventTypes: ReadonlySet<EventType> = new Set<EventType>([
  'dev.cdeventsx.tripline-access.decided',
  'dev.cdeventsx.tripline-access.requested',
  'dev.cdeventsx.tripline-access.approved',
  'dev.cdeventsx.tripline-access.granted',
  'dev.cdeventsx.tripline-access.ended',
  'dev.cdeventsx.tripline-access.outlived',
  'dev.cdeventsx.tripline-credential.minted',
  'dev.cdeventsx.tripline-credential.revoked',
  'dev.cdeventsx.tripline-credential.outlived',
  'dev.cdeventsx.tripline-stepup.proved',
  'dev.cdeventsx.tripline-stepup.refused',
  'dev.cdeventsx.tripline-stepup.linked',
  'dev.cdeventsx.tripline-gate.decided',
  'dev.cdeventsx.tripline-policy.changed',
  'dev.cdeventsx.tripline-promotion.changed',
  'dev.cdeventsx.tripline-standing.observed',
]);

/**
 * Events that only Tripline's own services may write: what it read at a provider, acts of people, results of responses.
 * Otherwise whoever can write to the log could teach a workspace that their runner is usual. So each has a MAC whose
 * key the receiver, which is exposed to outsiders, does not have.
 */
export const internalEventTypes: ReadonlySet<EventType> = new Set<EventType>([
  'dev.cdeventsx.tripline-inventory.observed',
  'dev.cdeventsx.tripline-change.looked-up',
  'dev.cdeventsx.tripline-delivery.looked-up',
  'dev.cdeventsx.tripline-act.performed',
  'dev.cdeventsx.tripline-response.finished',
  'dev.cdeventsx.tripline-breakglass.opened',
  'dev.cdeventsx.tripline-feed.silent',
  ...brokerEventTypes,
]);

/** The parts of a record that its MAC covers. */
export type MacRecord = { key: string; headers: Record<string, string>; value: Buffer | null };

const macHeader = 'ce_mac';

/** The record with the MAC of `key` in its header `ce_mac`: `v1,` and base64. Any former one is replaced. */
export function signInternal<R extends MacRecord>(record: R, key: string): R {
  return { ...record, headers: { ...record.headers, [macHeader]: macOf(record, key) } };
}

/** Whether the record's MAC fits one of `keys`; several while one is being rotated. In constant time. */
export function isFromWithin(record: MacRecord, keys: readonly string[]): boolean {
  const given = Buffer.from(record.headers[macHeader] ?? '');
  let fits = false;
  for (const key of keys) {
    const expected = Buffer.from(macOf(record, key));
    fits = (given.length === expected.length && timingSafeEqual(given, expected)) || fits;
  }
  return fits;
}

/**
 * HMAC-SHA256 over the JSON of key and headers sorted by name, a newline, and the value. JSON holds no newline outside
 * of its texts' escapes, so no part can pass for another.
 */
function macOf({ key, headers, value }: MacRecord, secret: string): string {
  const sorted = Object.entries(headers)
    .filter(([name]) => name !== macHeader)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const mac = createHmac('sha256', secret)
    .update(JSON.stringify([key, sorted]))
    .update('\n');
  return `v1,${mac.update(value ?? '').digest('base64')}`;
}

/**
 * The keys whose MACs are trusted. An event that comes over HTTP under a key of its own gets that key's MAC, which the
 * receiver computes: `drillKey`'s in drills, on their baseline and their break-glass records; a workspace's
 * `breakGlassKeys` on its records.
 */
export type OriginKeys = {
  internalKeys?: readonly string[] | undefined;
  broker?: { eventKeys?: readonly string[] | undefined };
  drillKey?: string | undefined;
  workspaces?: readonly { id: string; breakGlassKeys?: readonly string[] | undefined }[];
};

/** Why a record of an internal type is not trusted; null where its MAC fits, and for every other type. */
export function faultOfOrigin(record: MacRecord, keys: OriginKeys): string | null {
  const type = eventTypeOf(record.headers);
  if (type === undefined || !internalEventTypes.has(type)) return null;
  if (brokerEventTypes.has(type)) return faultOfBroker(record, type, keys);
  if (isFromWithin(record, keys.internalKeys ?? []) || isFromWithin(record, keysOverHttp(record, type, keys)))
    return null;
  return `${type} comes from within Tripline alone, and no key of internalKeys made this record's ce_mac`;
}

/** In a drill the one who plays it speaks for the broker. */
function faultOfBroker(record: MacRecord, type: EventType, { broker, drillKey }: OriginKeys): string | null {
  const { key, headers } = record;
  const isDrill = key.startsWith(drillPrefix) && headers['ce_workspace'] === key;
  const trusted = [...(broker?.eventKeys ?? []), ...(isDrill && drillKey !== undefined ? [drillKey] : [])];
  if (isFromWithin(record, trusted)) return null;
  return `${type} comes from the broker alone, and no key of broker.eventKeys made this record's ce_mac`;
}

function keysOverHttp({ key, headers }: MacRecord, type: EventType, keys: OriginKeys): readonly string[] {
  if (headers['ce_workspace'] !== key) return [];
  const isBreakGlass = type === 'dev.cdeventsx.tripline-breakglass.opened';
  if (key.startsWith(drillPrefix)) {
    const isTaken = isBreakGlass || type === 'dev.cdeventsx.tripline-inventory.observed';
    return isTaken && keys.drillKey !== undefined ? [keys.drillKey] : [];
  }
  return (isBreakGlass && keys.workspaces?.find(({ id }) => id === key)?.breakGlassKeys) || [];
}
