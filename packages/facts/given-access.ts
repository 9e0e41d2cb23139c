import type { Attributes } from '@tripline/contracts/attributes';
import { isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { isRaised, rankOf } from '@tripline/contracts/permission';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, keepBounded, observedBy } from './bounds.ts';
import { grantKey } from './grants.ts';
import { observedSchema } from './observed.ts';
import { instanceOf, providerOf } from './things.ts';

const givenSchema = observedSchema.extend({
  grant: z.string(),
  permission: z.string().optional(),
  /** What they held before, which they are given back; absent where that was nothing. */
  former: z.string().optional(),
  /** Until then, ms since the epoch. */
  untilMs: z.number(),
  grantee: z.string(),
  target: z.string(),
  /** Id of the organisation; absent in what former versions told. */
  organizationId: z.string().optional(),
});
const endedSchema = observedSchema.extend({ grant: z.string(), why: z.string().optional() });
const valueSchema = z.object({
  given: z.array(givenSchema),
  ended: z.array(endedSchema),
  /** It was to be over, and could not be taken back for a minute. Absent where nothing was. */
  outlived: z.array(endedSchema).optional(),
});
export type GivenAccess = z.infer<typeof valueSchema>;
export type Given = z.infer<typeof givenSchema>;
export type Ended = z.infer<typeof endedSchema>;

const bound = { authorOf: () => '', mostPerAuthor: 40, most: 40 } as const;
const givens: Bound<Given> = { kind: 'access given', ...bound };
const ends: Bound<Ended> = { kind: 'access ended', ...bound };
const outlivings: Bound<Ended> = { kind: 'access that outlived its end', ...bound };

/** What the access broker gave people: one right of one account on one thing, under the key of that grant. */
export const givenAccess: Fact<GivenAccess> = {
  id: 'given-access',
  description:
    'Rights that the access broker says it gave a person, for how long, that it took them back, and that it could not for a minute; under the key of the grant, by kind, grantee and target. Its word has a MAC of its own.',
  reads: [
    'dev.cdeventsx.tripline-access.granted',
    'dev.cdeventsx.tripline-access.ended',
    'dev.cdeventsx.tripline-access.outlived',
  ],
  value: valueSchema as z.ZodType<GivenAccess>,
  keys(event) {
    const key = keyOfGiven(event);
    return key === undefined ? [] : [key];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    const before = known ?? { given: [], ended: [] };
    const grant = clip(data['tripline.access.grant'] ?? '', 200);
    if (!isEvent(event, 'dev.cdeventsx.tripline-access.granted')) {
      const why = data['tripline.access.end'];
      const end = { ...observedBy(event), grant, ...(why === undefined ? {} : { why }) };
      if (isEvent(event, 'dev.cdeventsx.tripline-access.outlived')) {
        const { outlived = [] } = before;
        const kept = keepBounded(outlived, end, outlivings, at);
        return kept === outlived ? known : { ...before, outlived: [...kept] };
      }
      const kept = keepBounded(before.ended, end, ends, at);
      return kept === before.ended ? known : { ...before, ended: [...kept] };
    }
    const { 'tripline.grant.permission': permission, 'tripline.grant.permission_before': former } = data;
    const organizationId = data['vcs.owner.id'];
    const given: Given = {
      ...observedBy(event),
      grant,
      ...(permission === undefined ? {} : { permission: clip(permission, 200) }),
      ...(former === undefined ? {} : { former: clip(former, 200) }),
      untilMs: parseTime(data['tripline.grant.expires_at'] ?? event.time),
      grantee: clip(data['tripline.grant.grantee'] ?? '', 200),
      target: clip(data['tripline.grant.target'] ?? '', 300),
      ...(organizationId === undefined ? {} : { organizationId: clip(organizationId, 100) }),
    };
    const kept = keepBounded(before.given, given, givens, at);
    return kept === before.given ? known : { ...before, given: [...kept] };
  },
  // Longer than grants are kept, so that what gave one is not forgotten first.
  keepMs: 20 * 86_400_000,
};

/** The end of a person's access names what it was, as its beginning does; that of a job's names no grant of this kind. */
function keyOfGiven(event: LoggedEvent): string | undefined {
  const data: Attributes = event.data;
  const { 'tripline.grant.kind': kind, 'tripline.grant.grantee': name, 'tripline.grant.target': target } = data;
  if (kind === undefined || name === undefined || target === undefined) return undefined;
  const place = { provider: providerOf(event), instance: instanceOf(event) };
  const on = { kind, target, targetId: data['tripline.grant.target_id'] };
  return grantKey(place, on, { id: data['tripline.grant.grantee_id'], name });
}

/** One access that was given, extended or not. */
export type AccessTime = { first: Given; fromMs: number; toMs: number };

/** What was given that allows `permission` at `ms`: of several what ends last. `skewMs`: how far clocks may differ. */
export function accessAt(
  known: GivenAccess | undefined,
  { permission, ms, skewMs }: { permission: string | undefined; ms: number; skewMs: number },
): AccessTime | undefined {
  const byGrant = Map.groupBy(known?.given ?? [], ({ grant }) => grant);
  const times = [...byGrant].flatMap(([grant, all]): AccessTime[] => {
    const enough = all.filter((one) => permission === undefined || isEnough(one.permission, permission));
    const first = enough.toSorted(inOwnOrder)[0];
    if (first === undefined) return [];
    const endedMs = (known?.ended ?? []).flatMap((one) => (one.grant === grant ? [parseTime(one.time)] : []));
    const toMs = Math.min(Math.max(...enough.map(({ untilMs }) => untilMs)), ...endedMs);
    return [{ first, fromMs: parseTime(first.time), toMs }];
  });
  return times
    .filter(({ fromMs, toMs }) => ms >= fromMs - skewMs && ms <= toMs + skewMs)
    .sort((a, b) => b.toMs - a.toMs)[0];
}

/** The grant at whose end somebody was given back what they held before, at `ms`: from when it was given until the log was told of its end. */
export function givenBackAt(
  known: GivenAccess | undefined,
  { permission, ms, skewMs }: { permission: string | undefined; ms: number; skewMs: number },
): Given | undefined {
  if (permission === undefined) return undefined;
  const told = permission.toLowerCase();
  return known?.given.find((one) => {
    const former = one.former?.toLowerCase();
    // GitHub tells a role of one's own with what it is made from.
    if (former === undefined || (told !== former && !told.startsWith(`custom role ${former} (`))) return false;
    const ended = known.ended.find(({ grant }) => grant === one.grant);
    return ms >= parseTime(one.time) - skewMs && (ended === undefined || ms <= parseTime(ended.time) + skewMs);
  });
}

/** No more than was given: the same right, or a lesser one by name. What names no right gives no more than the least. */
function isEnough(given: string | undefined, permission: string): boolean {
  if (given === undefined) return rankOf(permission) <= rankOf('member');
  return given.toLowerCase() === permission.toLowerCase() || !isRaised(given, permission);
}
