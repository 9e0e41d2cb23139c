import type { IntentOf } from '@tripline/contracts/response';
import { parseTime } from '@tripline/contracts/time';
import { type GitHubClient, type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeEach,
  checkByAsking,
  listingLimit,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type DeleteCaches = IntentOf<'delete-caches'>;
type Cache = { id: number; key?: string; ref?: string; created_at?: string };

const onCaches = (step: DeleteCaches, route: string, more: object = {}): GitHubRequest => ({
  route,
  parameters: { ...ownerAndRepo(step.repository), ...more },
});

const deletion = (step: DeleteCaches, cache: number | string): GitHubRequest =>
  onCaches(step, 'DELETE /repos/{owner}/{repo}/actions/caches/{cache_id}', { cache_id: cache });

/** A13: deletes a repository's caches, so that no later run starts from what an untrusted one left there. Builds fill them anew. */
export const deleteCaches: Action<DeleteCaches> = {
  code: 'A13',
  reversible: false,
  undo: () => 'irreversible; the next builds fill the caches anew',
  scope: (step) => scopeOnRepository(step.repository, { actions: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => deletion(step, 'each'),
  ask,
  act: (step, context) =>
    changeEach(context, () => cachesOf(step, context.client), {
      request: ({ id }) => deletion(step, id),
      ...{ done: 'deleted', name: ({ key, ref }) => `${key ?? 'unnamed'} (${ref ?? 'no ref'})` },
    }),
  check: checkByAsking(ask),
};

function ask(step: DeleteCaches, { client, clock }: Asking): Promise<Asked> {
  return asked(clock, async () => {
    const { length } = await cachesOf(step, client);
    const since = step.since === undefined ? '' : ` from since ${step.since}`;
    return length === 0
      ? { result: 'not-so', detail: `there are no caches${since}` }
      : { result: 'so', detail: `there are ${length} caches${since}` };
  });
}

async function cachesOf(step: DeleteCaches, client: GitHubClient): Promise<Cache[]> {
  const caches: Cache[] = [];
  const request = onCaches(step, 'GET /repos/{owner}/{repo}/actions/caches');
  const sinceMs = step.since === undefined ? Number.NEGATIVE_INFINITY : parseTime(step.since);
  for await (const cache of client.list<Cache>(request, { under: 'actions_caches', maxItems: listingLimit })) {
    // One whose age is not told may be young.
    if (cache.created_at === undefined || Date.parse(cache.created_at) >= sinceMs) caches.push(cache);
  }
  return caches;
}
