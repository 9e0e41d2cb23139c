import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { z } from 'zod';
import { inPlaceOf, observedBy } from './bounds.ts';
import { isEarlier } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountOf, authorOf, keyOf, repositoryKeyOf, senderOf } from './things.ts';

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
  keys: (event) => toldOf(event).map(({ key }) => key),
  learn,
  keepMs: 400 * dayMs,
};

function learn(known: Writer | undefined, event: LoggedEvent, at: LearnContext): Writer | undefined {
  const told = toldOf(event).find(({ key }) => key === at.key);
  if (told === undefined || !isEarlier(event, known?.[told.proof])) return known;
  return { ...known, [told.proof]: inPlaceOf(known?.[told.proof], observedBy(event), at.pinned) };
}

function toldOf(event: LoggedEvent): { key: string; proof: keyof Writer }[] {
  const data: Attributes = event.data;
  if (isEvent(event, 'dev.cdeventsx.tripline-inventory.observed')) {
    // Whoever takes a member's login over is none.
    return (data['tripline.inventory.members'] ?? []).map(({ login, id }) => ({
      key: keyOf(event, `member~${authorOf({ login, ...(id === undefined ? {} : { id }) })}`),
      proof: 'member' as const,
    }));
  }
  const repository = repositoryKeyOf(event);
  if (repository === undefined) return [];
  if (isEvent(event, 'dev.cdeventsx.tripline-change.looked-up')) {
    const told = new Map<string, { key: string; proof: keyof Writer }>();
    for (const { author, authorId, permission } of (data['tripline.lookup.changes'] ?? []).flatMap(
      (one) => one.reviews,
    )) {
      const key = writerKeyIn(repository, accountOf(author, authorId)!);
      if (permits(permission)) told.set(key, { key, proof: 'permission' });
      else if (permission !== undefined && mayNot.has(permission)) told.set(key, { key, proof: 'refused' });
    }
    return [...told.values()];
  }
  const isMerge = event.type === 'dev.cdevents.change.merged';
  const account = isMerge
    ? accountOf(data['tripline.change.merged_by'], data['tripline.change.merged_by_id'])
    : (senderOf(data) ?? accountOf(data['tripline.push.pusher'], data['tripline.push.pusher_id']));
  if (account === undefined) return [];
  return [{ key: writerKeyIn(repository, account), proof: isMerge ? 'merge' : 'push' }];
}
