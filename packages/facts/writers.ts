import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { z } from 'zod';
import { inPlaceOf, observedBy } from './bounds.ts';
import { isEarlier } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountOf, authorOf, keyOf, onceAnEvent, repositoryKeyOf, senderOf } from './things.ts';

const dayMs = 86_400_000;

/** Why somebody is known to be able to write to a repository: the first proof of each kind. */
export const writerSchema = z.object({
  push: observedSchema.optional(),
  merge: observedSchema.optional(),
  /** The API said so. */
  permission: observedSchema.optional(),
  /** The API said that they may not: the first time. */
  refused: observedSchema.optional(),
  /** An inventory lists them among the organisation's members. */
  member: observedSchema.optional(),
});
export type Writer = z.infer<typeof writerSchema>;

const reads = [
  'dev.cdeventsx.tripline-ref.pushed',
  'dev.cdevents.change.merged',
  'dev.cdeventsx.tripline-change.looked-up',
  'dev.cdeventsx.tripline-inventory.observed',
] as const satisfies readonly EventType[];

/** An account in a repository, by the repository's key. */
export const writerKeyIn = (repositoryKey: string, account: Account): string => `${repositoryKey}~${authorOf(account)}`;
/** An account among the organisation's members. `by`: any key of the same provider and instance, such as a repository's. */
export const memberKeysOf = (by: string, account: Account): string[] => {
  const place = by.split(':', 2).join(':');
  const named = `${place}:member~name:${account.login.toLowerCase()}`;
  return account.id === undefined ? [named] : [`${place}:member~${account.id}`, named];
};

/** GitHub's words; a role of an organisation's own is told as the one that it is based on. */
const mayWrite = new Set(['write', 'push', 'maintain', 'admin']);
const mayNot = new Set(['none', 'read', 'pull', 'triage']);
export const permits = (permission: string | undefined): boolean =>
  permission !== undefined && mayWrite.has(permission);

export const writers: Fact<Writer> = {
  id: 'writers',
  description:
    'Who is known to be able to write to a repository: a push or a merge of theirs, the provider’s word, or an inventory of members. ' +
    'That somebody may not is known by the provider’s word alone: in webhooks a private membership shows as none.',
  reads,
  value: writerSchema,
  keys(event) {
    if (isListing(event)) return [...listedIn(event).keys()];
    const [repository, account] = [repositoryKeyOf(event), actorOf(event)];
    return repository === undefined || account === undefined ? [] : [writerKeyIn(repository, account)];
  },
  learn,
  keepMs: 400 * dayMs,
};

function learn(known: Writer | undefined, event: LoggedEvent, at: LearnContext): Writer | undefined {
  const proof = isListing(event) ? listedIn(event).get(at.key) : isMerge(event) ? 'merge' : 'push';
  if (proof === undefined || !isEarlier(event, known?.[proof])) return known;
  return { ...known, [proof]: inPlaceOf(known?.[proof], observedBy(event), at.pinned) };
}

const isMerge = eventIs('dev.cdevents.change.merged');
/** Tells of many accounts. */
const isListing = eventIs('dev.cdeventsx.tripline-change.looked-up', 'dev.cdeventsx.tripline-inventory.observed');

/** Who pushed or merged. */
function actorOf(event: LoggedEvent): Account | undefined {
  const data: Attributes = event.data;
  return isMerge(event)
    ? accountOf(data['tripline.change.merged_by'], data['tripline.change.merged_by_id'])
    : (senderOf(data) ?? accountOf(data['tripline.push.pusher'], data['tripline.push.pusher_id']));
}

/** What an event that tells of many proves, by the key of whom. */
const listedIn = onceAnEvent((event): ReadonlyMap<string, keyof Writer> => {
  const data: Attributes = event.data;
  const told = new Map<string, keyof Writer>();
  if (isEvent(event, 'dev.cdeventsx.tripline-inventory.observed')) {
    // Whoever takes a member's login over is none.
    for (const { login, id } of data['tripline.inventory.members'] ?? [])
      told.set(keyOf(event, `member~${id ?? authorOf({ login })}`), 'member');
    return told;
  }
  const repository = repositoryKeyOf(event);
  if (repository === undefined) return told;
  for (const { author, authorId, permission } of (data['tripline.lookup.changes'] ?? []).flatMap(
    (one) => one.reviews,
  )) {
    const key = writerKeyIn(repository, accountOf(author, authorId)!);
    if (permits(permission)) told.set(key, 'permission');
    else if (permission !== undefined && mayNot.has(permission)) told.set(key, 'refused');
  }
  return told;
});
