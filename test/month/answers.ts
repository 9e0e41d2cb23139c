import type { TriplineEvent } from '@tripline/contracts/event';
import type { LookUp } from '@tripline/contracts/job';
import { associationOf } from './bodies.ts';
import type { Person } from './organisation.ts';
import type { Change, Known, World } from './world.ts';

/** What GitHub's API answers, as the detector's worker lays it into the log. `unavailable` of what the month does not know. */
export function answer(world: World, workspace: string, lookup: LookUp): TriplineEvent {
  const known = world.commits.get(lookup.revision);
  const time = (ms: number) => new Date(ms).toISOString();
  return {
    id: `look-up:${lookup.id}`,
    source: `//github.com/${lookup.repository}`,
    type: 'dev.cdeventsx.tripline-change.looked-up',
    time: time(world.now()),
    workspace,
    trust: 'high',
    data: {
      'vcs.provider.name': 'github',
      'vcs.repository.name': lookup.repository,
      ...(lookup.repositoryId === undefined ? {} : { 'vcs.repository.id': lookup.repositoryId }),
      'vcs.ref.head.revision': lookup.revision,
      'tripline.lookup.id': lookup.id,
      'tripline.lookup.outcome': known === undefined ? 'unavailable' : 'found',
      ...(known === undefined
        ? {}
        : { 'tripline.lookup.commit': commitOf(known), 'tripline.lookup.changes': known.changes.map(changeOf) }),
    },
  } as TriplineEvent;

  function commitOf({ commit, parents }: Known) {
    return {
      ...{ revision: commit.id, parents, author: commit.author.login, authorId: String(commit.author.id) },
      ...{ authorType: commit.author.isBot ? 'Bot' : 'User', committer: commit.committer.login },
      verified: commit.committer.login === 'web-flow',
    };
  }
  function changeOf(change: Change) {
    const { number, author, head, branch, commits, state, merged, reviews } = change;
    return {
      ...{ id: String(number), state, author: author.login, authorId: String(author.id) },
      ...{ headRevision: head, headName: branch, fork: false, baseName: 'main' },
      ...(merged === undefined
        ? {}
        : {
            ...{ mergeRevision: merged.revision, mergedAt: time(merged.atMs) },
            ...{ mergedBy: merged.by.login, mergedById: String(merged.by.id) },
          }),
      commits: commits.flatMap(({ id }) => {
        const told = world.commits.get(id);
        return told === undefined ? [] : [commitOf(told)];
      }),
      reviews: reviews.map(({ id, by, state: said, revision, atMs }) => ({
        ...{ id: String(id), author: by.login, authorId: String(by.id), authorType: typeOf(by), state: said },
        ...{ revision, association: associationOf(by), permission: 'write', submittedAt: time(atMs) },
      })),
    };
  }
}
const typeOf = ({ isBot }: Person) => (isBot ? 'Bot' : 'User');
