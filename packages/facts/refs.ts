import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import {
  accountOf,
  accountSchema,
  authorOf,
  keyOf,
  namedRepository,
  onceAnEvent,
  refKeyIn,
  repositoryKeyOf,
  senderOf,
} from './things.ts';

const dayMs = 86_400_000;

/** Whether it was there by `ms`; one that somebody makes later, by another's name, explains nothing of that. */
export const isThere = ({ first, stood: found }: Ref, ms: number): boolean =>
  (first !== undefined && parseTime(first.time) <= ms) || found.some((one) => parseTime(one.time) <= ms);

const moveSchema = observedSchema.extend({
  /** Where it stood before and after; zeros where it did not exist. */
  before: z.string().optional(),
  after: z.string(),
  forced: z.boolean(),
  by: accountSchema.optional(),
  /** When it was received, ms of the log's time; absent in what former versions kept. Nothing final may follow from it. */
  heardMs: z.number().optional(),
});
const standsSchema = observedSchema.extend({ revision: z.string() });
const mergedSchema = observedSchema.extend({ change: z.string(), base: z.string() });
export type Move = z.infer<typeof moveSchema>;
export const refSchema = z.object({
  /** The latest moves. */
  moves: z.array(moveSchema),
  /** The earliest move: the commit before it was there before Tripline received anything. */
  first: moveSchema.optional(),
  /** Where an inventory found it. */
  stood: z.array(standsSchema),
  /** Changes that were merged from it. */
  mergedFrom: z.array(mergedSchema),
  /**
   * The last day on which somebody of the organisation acted on a change into it, ms since the epoch: merges may still
   * arrive.
   */
  changesMs: z.number().optional(),
});
export type Ref = z.infer<typeof refSchema>;
/**
 * Whether two values differ in what reviews ask: not in the latest moves, nor in the day of the latest act on a change, of which
 * they ask only whether there was one.
 */
export const differsInReviews = (a: Ref | undefined, b: Ref | undefined): boolean =>
  a?.first !== b?.first ||
  a?.stood !== b?.stood ||
  a?.mergedFrom !== b?.mergedFrom ||
  (a?.changesMs === undefined) !== (b?.changesMs === undefined);
const nothing: Ref = { moves: [], stood: [], mergedFrom: [] };

const moves: Bound<Ref['moves'][number]> = {
  kind: 'moves',
  authorOf: ({ by }) => authorOf(by),
  mostPerAuthor: 10,
  most: 30,
  rolls: 'all',
};
const stood: Bound<Ref['stood'][number]> = {
  kind: 'inventories',
  authorOf: () => '',
  mostPerAuthor: 5,
  most: 5,
  rolls: 'all',
};
const mergedFrom: Bound<Ref['mergedFrom'][number]> = {
  kind: 'merges',
  authorOf: ({ base }) => base,
  mostPerAuthor: 5,
  most: 20,
  rolls: 'all',
};

const changeTypes = [
  'dev.cdevents.change.created',
  'dev.cdevents.change.reviewed',
  'dev.cdevents.change.merged',
] as const satisfies readonly EventType[];
const ofTheHouse = new Set(['OWNER', 'MEMBER', 'COLLABORATOR', 'CONTRIBUTOR']);

export const refs: Fact<Ref> = {
  id: 'refs',
  description:
    'A branch or tag: where it stood and who moved it, the latest 30 moves; where an inventory found it; which changes were merged from it. ' +
    'GitHub sends no push event when more than three tags are pushed at once, nor for a push whose body would be too large.',
  reads: ['dev.cdeventsx.tripline-inventory.observed', 'dev.cdeventsx.tripline-ref.pushed', ...changeTypes],
  value: refSchema,
  keys(event) {
    if (isEvent(event, 'dev.cdeventsx.tripline-inventory.observed')) {
      return [...headsIn(event).keys()];
    }
    const repository = repositoryKeyOf(event);
    if (repository === undefined) return [];
    if (isEvent(event, 'dev.cdeventsx.tripline-ref.pushed')) {
      return [refKeyIn(repository, event.data['vcs.ref.head.type'], event.data['vcs.ref.head.name'])];
    }
    const { 'vcs.ref.base.name': base, 'vcs.ref.head.name': head }: Attributes = event.data;
    const keys: string[] = [];
    if (base !== undefined && isOfTheHouse(event)) keys.push(refKeyIn(repository, 'branch', base));
    if (isOwnMerge(event) && head !== undefined && head !== base) keys.push(refKeyIn(repository, 'branch', head));
    return keys;
  },
  learn,
  keepMs: 180 * dayMs,
};

/** By the key of each branch in an inventory, where it stands. */
const headsIn = onceAnEvent((event) => {
  const byKey = new Map<string, string>();
  for (const { repository, repositoryId, branch, revision } of (event.data as Attributes)['tripline.inventory.heads'] ??
    []) {
    const key = refKeyIn(keyOf(event, repositoryId ?? namedRepository(repository)), 'branch', branch);
    // Of two with the same name the first counts.
    if (!byKey.has(key)) byKey.set(key, revision);
  }
  return byKey;
});

/** A merge from a branch of the repository itself. */
const isOwnMerge = (event: LoggedEvent): boolean =>
  event.type === 'dev.cdevents.change.merged' && (event.data as Attributes)['tripline.head.fork'] !== true;
/** An outsider's act on a change does not count as the organisation's. */
const isOfTheHouse = (event: LoggedEvent): boolean =>
  event.type === 'dev.cdevents.change.merged' ||
  ofTheHouse.has((event.data as Attributes)['tripline.user.association'] ?? 'MEMBER');

function learn(known: Ref | undefined, event: LoggedEvent, at: LearnContext): Ref | undefined {
  const data: Attributes = event.data;
  const before = known ?? nothing;
  if (isEvent(event, 'dev.cdeventsx.tripline-inventory.observed')) {
    const revision = headsIn(event).get(at.key);
    if (revision === undefined) return known;
    const kept = keepBounded(before.stood, { ...observedBy(event), revision }, stood, at);
    return kept === before.stood ? known : { ...before, stood: [...kept] };
  }
  if (isEvent(event, 'dev.cdeventsx.tripline-ref.pushed')) {
    const by = accountOf(
      data['tripline.push.pusher'] ?? data['user.name'],
      data['tripline.push.pusher_id'] ?? data['user.id'],
    );
    const { 'tripline.ref.before': from } = data;
    const move = {
      ...observedBy(event),
      after: data['tripline.push.head_revision'] ?? event.data['vcs.ref.head.revision'],
      forced: data['tripline.ref.forced'] === true,
      heardMs: at.nowMs,
      ...(from === undefined ? {} : { before: from }),
      ...(by === undefined ? {} : { by: by ?? senderOf(data) }),
    };
    // Reported again under another id, it is the same move.
    if (before.moves.some((one) => one.time === move.time && one.after === move.after && one.before === from))
      return known;
    const kept = keepBounded(before.moves, move, moves, at);
    const isFirst = before.first === undefined || inOwnOrder(move, before.first) < 0;
    const first = isFirst ? inPlaceOf(before.first, move, at.pinned) : before.first;
    return kept === before.moves && first === before.first ? known : { ...before, moves: [...kept], first };
  }
  const { 'vcs.ref.base.name': base, 'vcs.ref.head.name': head } = data;
  let next = before;
  if (base !== undefined && isOfTheHouse(event) && isNamed(at.key, base)) {
    const changesMs = Math.max(before.changesMs ?? 0, Math.floor(parseTime(event.time) / dayMs) * dayMs);
    if (changesMs !== before.changesMs) next = { ...next, changesMs };
  }
  if (base !== undefined && isOwnMerge(event) && head !== undefined && head !== base && isNamed(at.key, head)) {
    const told = { ...observedBy(event), change: data['vcs.change.id']!, base };
    const kept = keepBounded(before.mergedFrom, told, mergedFrom, at);
    if (kept !== before.mergedFrom) next = { ...next, mergedFrom: [...kept] };
  }
  return next === nothing ? known : next;
}
const isNamed = (key: string, branch: string): boolean =>
  key === refKeyIn(key.slice(0, key.indexOf(':branch:')), 'branch', branch);
