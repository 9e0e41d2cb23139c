import type { IntentOf } from '@tripline/contracts/response';
import { GitHubRefusedError, type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeOnce,
  checkByAsking,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type RestoreRef = IntentOf<'restore-ref'>;

/** As GitHub's addresses have it: without `refs/`. */
const refOf = ({ refType, ref }: RestoreRef) => `${refType === 'tag' ? 'tags' : 'heads'}/${ref}`;
const onRef = (step: RestoreRef, route: string, more: object = {}): GitHubRequest => ({
  route,
  parameters: { ...ownerAndRepo(step.repository), ...more },
});

/** A14: puts a branch or tag back to where it stood, or deletes one that there was not. */
export const restoreRef: Action<RestoreRef> = {
  code: 'A14',
  reversible: true,
  undo: ({ refType, ref, revision = 'where it stood until then' }) => `put ${refType} ${ref} to ${revision} again`,
  scope: (step) => scopeOnRepository(step.repository, { contents: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => request(step, false),
  ask,
  async act(step, context) {
    await context.gate();
    // It may have been deleted altogether, and a ref that is not there cannot be moved.
    const stands = await where(step, context).catch(() => undefined);
    return changeOnce(request(step, stands === null), context);
  },
  check: checkByAsking(ask),
};

function request(step: RestoreRef, isGone: boolean): GitHubRequest {
  const ref = refOf(step);
  const sha = step.formerRevision;
  if (sha === null) return onRef(step, 'DELETE /repos/{owner}/{repo}/git/refs/{ref}', { ref });
  return isGone
    ? onRef(step, 'POST /repos/{owner}/{repo}/git/refs', { ref: `refs/${ref}`, sha })
    : onRef(step, 'PATCH /repos/{owner}/{repo}/git/refs/{ref}', { ref, sha, force: true });
}

function ask(step: RestoreRef, context: Asking): Promise<Asked> {
  const { refType, ref, formerRevision, revision } = step;
  return asked(context.clock, async () => {
    const stands = await where(step, context);
    const at = stands === null ? `there is no ${refType} ${ref}` : `${refType} ${ref} stands on ${stands}`;
    if (stands === formerRevision) return { result: 'not-so', detail: `${at}, as it did before` };
    if (revision !== undefined && stands !== revision) {
      return {
        result: 'not-so',
        detail: `${at}, and not where the finding has it: somebody moved it since`,
        alive: true,
      };
    }
    if (step.ifOnDefaultBranch && !(await isOnDefaultBranch(step, context))) {
      const detail = `${at}, and ${formerRevision} is no part of the default branch: whether it stood there rightly, a person must say`;
      return { result: 'not-so', detail, alive: true };
    }
    return { result: 'so', detail: at };
  });
}

/** Whether where it stood lies on the default branch or beneath it; what GitHub cannot compare does not. */
async function isOnDefaultBranch(step: RestoreRef, { client }: Pick<Asking, 'client'>): Promise<boolean> {
  const repository = onRef(step, 'GET /repos/{owner}/{repo}');
  const home = await client.send(repository);
  const branch = (home.data as { default_branch?: unknown } | null)?.default_branch;
  if (home.status !== 200 || typeof branch !== 'string') throw new GitHubRefusedError(repository, home);
  const basehead = `${branch}...${step.formerRevision}`;
  const compare = onRef(step, 'GET /repos/{owner}/{repo}/compare/{basehead}', { basehead, per_page: 1 });
  const answer = await client.send(compare);
  if (answer.status === 404) return false;
  const status = (answer.data as { status?: unknown } | null)?.status;
  if (answer.status !== 200 || typeof status !== 'string') throw new GitHubRefusedError(compare, answer);
  return status === 'behind' || status === 'identical';
}

/** The hash that the ref names, an annotated tag's own; null where there is none. */
async function where(step: RestoreRef, { client }: Pick<Asking, 'client'>): Promise<string | null> {
  const request = onRef(step, 'GET /repos/{owner}/{repo}/git/ref/{ref}', { ref: refOf(step) });
  const answer = await client.send(request);
  if (answer.status === 404) return null;
  const sha = (answer.data as { object?: { sha?: unknown } } | null)?.object?.sha;
  if (answer.status !== 200 || typeof sha !== 'string') throw new GitHubRefusedError(request, answer);
  return sha;
}
