import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { networkOf } from '@tripline/facts/token-uses';
import type { Usual } from './builders/habits.ts';
import { recordSays } from './builders/record.ts';
import { actorOf, type Named, repositoryOf } from './builders/seen.ts';
import type { How } from './builders/value-count.ts';

const dayMs = 86_400_000;

/** A month and a half, so that what is done each month is remembered. */
const forgetMs = 45 * dayMs;

/** With which token something was read, where the feed says it: by its hash, else its id. */
export const tokenOf = ({ data }: LoggedEvent): string | undefined =>
  (data as Attributes)['tripline.credential.token_hash'] ?? (data as Attributes)['tripline.credential.id'];

/** The repository, unless it is known to be public: anybody may take what is, and whoever does has not used what they stole. */
export function privateRepositoryOf(event: LoggedEvent): Named | undefined {
  const { 'tripline.repository.visibility': visibility, 'tripline.audit.record': record }: Attributes = event.data;
  const isPublic = visibility === 'public' || recordSays(record ?? {}, 'repository_public', ['true']);
  return isPublic ? undefined : repositoryOf(event);
}

/** What mirrors read again and again: by account, since its tokens change, and by network, since they are stolen. */
export const readingHabits: Usual = {
  habit(event: LoggedEvent) {
    const data: Attributes = event.data;
    const network = networkOf(data);
    const isNamed = (data['user.id'] ?? data['user.name']) !== undefined;
    const of = `${isNamed ? actorOf(event).id : `token ${tokenOf(event) ?? ''}`} ${network ?? ''}`;
    return network === undefined ? { of, isUnsure: true as const } : { of };
  },
  forgetMs,
};

export const habitDescription =
  'What an account took so from one network is told of once: taken again from there, as a mirror does each night, it is silent. In the first `learnMs` of the feed it is less severe, and told of once a day.';
export const habitFalseAlarms = [
  'A mirror that reads from another network, or for the first time in 45 days: an exception for its account, for the day.',
  'A mirror where the organisation does not disclose addresses: low, once a month.',
];
export const habitLimits = [
  'What is known to be public, which anybody may clone: it is not counted.',
  'Somebody at a mirror’s machine, or in its network with its credential, who takes what it takes each night. Without the disclosure of addresses (a setting of the organisation), from anywhere: that is low, and one with the mirror’s own.',
  'What is taken within `learnMs` is told of, and does not page; nor is it told of again.',
  'What is usual is judged as it is known when a read is received: a first pass whose records come after those of the second leaves the second found.',
];

/** What a finding says of it. */
export const habitSays: Readonly<Record<How, string>> = {
  unusual: '',
  beginning:
    ' It is not known yet who does so each night, such as a mirror; taken again from there it is not told of any more.',
  again: ' All of it was taken so before, and the feed does not say from where.',
};
