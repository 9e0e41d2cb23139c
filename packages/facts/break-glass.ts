import { isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { type Fact, thingKey } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import type { Account } from './things.ts';

const recordSchema = observedSchema.extend({
  id: z.string(),
  /** As the record names them. */
  actor: z.string(),
  reason: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  /** Its position in the log: a record explains only what was received after it. */
  offset: z.number(),
});
export type BreakGlassRecord = z.infer<typeof recordSchema>;

const hour = 3_600_000;
/** A record is valid for a day at most, whatever it says. */
const longestMs = 24 * hour;
/** Records kept per person; of more, those that end last. */
const mostEach = 4;

/** Break-glass records by the person whom they allow to act, so that records of others never displace one. */
export const breakGlass: Fact<{ records: BreakGlassRecord[] }> = {
  id: 'break-glass',
  description:
    'Who may act outside the usual way, why and until when, by signed records. A record speaks for a day at most, and for nothing that was received before it. ' +
    `Of one person's records the ${mostEach} that end last are known. A record names a login or, as login:id, the account, so that nobody who takes the login over may act by it.`,
  reads: ['dev.cdeventsx.tripline-breakglass.opened'],
  value: z.object({ records: z.array(recordSchema) }) as z.ZodType<{ records: BreakGlassRecord[] }>,
  keys: (event) =>
    isEvent(event, 'dev.cdeventsx.tripline-breakglass.opened')
      ? [recordsKey(event.data['tripline.breakglass.actor'])]
      : [],
  learn(known, event, at) {
    // Otherwise whoever can send unsigned records could excuse themselves.
    if (event.trust !== 'high' || !isEvent(event, 'dev.cdeventsx.tripline-breakglass.opened')) return known;
    const record = recordOf(event as LoggedEvent<'dev.cdeventsx.tripline-breakglass.opened'>);
    const before = known?.records ?? [];
    if (before.some(({ eventId, id }) => eventId === record.eventId || id === record.id)) return known;
    const all = [...before, record].sort((a, b) => b.toMs - a.toMs || (a.eventId < b.eventId ? -1 : 1));
    const kept = all.filter(({ eventId }, place) => place < mostEach || at.pinned.has(eventId));
    return { records: kept };
  },
  // Longer than grants are kept, so that what excused one is not forgotten first.
  keepMs: 20 * longestMs,
};

/** The key of the records that allow somebody to act, by what they call them: a login, or `login:id`, of which the id decides. */
export function recordsKey(actor: string): string {
  const id = /:(\d+)$/.exec(actor)?.[1];
  return thingKey('tripline', 'break-glass', id === undefined ? clip(actor.toLowerCase(), 200) : `id:${id}`);
}
/** The keys of all records that allow an account to act. */
export const recordsKeysOf = ({ login, id }: Account): string[] =>
  id === undefined ? [recordsKey(login)] : [recordsKey(login), recordsKey(`:${id}`)];

function recordOf(event: LoggedEvent<'dev.cdeventsx.tripline-breakglass.opened'>): BreakGlassRecord {
  const fromMs = Date.parse(event.time);
  return {
    ...observedBy(event),
    id: event.data['tripline.breakglass.id'],
    actor: clip(event.data['tripline.breakglass.actor'], 200),
    reason: clip(event.data['tripline.breakglass.reason'], 400),
    fromMs,
    toMs: Math.min(Date.parse(event.data['tripline.breakglass.expires_at']), fromMs + longestMs),
    offset: event.position.offset,
  };
}
