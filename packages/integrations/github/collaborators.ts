import type { Outcome } from '../outcome.ts';
import { loginOf } from './actions/action.ts';
import { directCollaborators } from './actions/grant.ts';
import { type GitHubApp, NoTokenError, withAppToken } from './app-token.ts';
import { outcomeOf } from './classify.ts';
import { type GitHubAnswer, type GitHubClient, GitHubRefusedError, NoAnswerError, ownerAndRepo } from './client.ts';

/** What somebody may by having been added to a repository, without what teams or the organisation give them. */
export type DirectRight = 'none' | 'read' | 'triage' | 'write' | 'maintain' | 'admin';

/** Rights of one account on one repository, both by id: names change hands. Each throws {@link CollaboratorError}. */
export type CollaboratorAccess = {
  /** As they are called now. */
  repository: string;
  login: string;
  /** `role`: where that is one of the organisation's own, which no request could give again. */
  held: () => Promise<{ right: DirectRight; role?: string }>;
  /** `invited`: GitHub would only have asked them, which was undone. */
  set: (right: Exclude<DirectRight, 'none'>) => Promise<'set' | 'invited'>;
  remove: () => Promise<void>;
};

/** GitHub was not asked, or did not do it. `outcome` says whether it may later. */
export class CollaboratorError extends Error {
  readonly code = 'COLLABORATOR';
  readonly outcome: Exclude<Outcome, { kind: 'done' }>;
  constructor(outcome: CollaboratorError['outcome']) {
    super(outcome.message ?? outcome.reason);
    this.outcome = outcome;
  }
}

export type Collaborators = {
  /** Calls `work` with an access for this one repository, and ends that however `work` ends. @throws {CollaboratorError} */
  use: <T>(
    of: { owner: string; repositoryId: string; accountId: string },
    work: (access: CollaboratorAccess) => Promise<T>,
  ) => Promise<T>;
};

const words = { read: 'pull', triage: 'triage', write: 'push', maintain: 'maintain', admin: 'admin' } as const;
const strongestFirst = ['admin', 'maintain', 'write', 'triage', 'read'] as const;

/** Gives, changes and takes back rights on repositories, by an App that may (Administration: write). */
export function createCollaborators(
  app: GitHubApp,
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
): Collaborators {
  const { nowMs } = options;
  return {
    async use({ owner, repositoryId, accountId }, work) {
      const scope = { owner, repositoryId, permissions: { administration: 'write' as const } };
      const open = async (client: GitHubClient) => {
        const repository = await nameOf(client, repositoryId);
        const login = await loginOf(client, accountId);
        if (login === undefined)
          throw giveUp('no-account', `account ${accountId} is not there any more: nothing is left to change`);
        return work(accessTo({ client, nowMs, repository, login, accountId }));
      };
      try {
        return await withAppToken(app, scope, open, { ...options, manner: 'once' });
      } catch (error) {
        throw explained(error, nowMs);
      }
    },
  };
}

type Parts = { client: GitHubClient; nowMs: () => number; repository: string; login: string; accountId: string };

function accessTo({ client, nowMs, repository, login, accountId }: Parts): CollaboratorAccess {
  const own = { ...ownerAndRepo(repository), username: login };
  const route = '/repos/{owner}/{repo}/collaborators/{username}';
  const change = async (request: Parameters<GitHubClient['send']>[0]): Promise<GitHubAnswer> => {
    const answer = await client.send(request);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw new GitHubRefusedError(request, answer);
  };
  return {
    repository,
    login,
    async held() {
      for await (const one of client.list<Listed>(directCollaborators(repository))) {
        if (String(one.id) !== accountId) continue;
        const { permissions = {}, role_name: role } = one;
        const right = strongestFirst.find((name) => permissions[words[name]] === true) ?? 'none';
        const isOwn = role !== undefined && !Object.hasOwn(words, role) && !Object.values<string>(words).includes(role);
        return isOwn ? { right, role } : { right };
      }
      return { right: 'none' };
    },
    async set(right) {
      const answer = await change({ route: `PUT ${route}`, parameters: { ...own, permission: words[right] } });
      if (answer.status !== 201) return 'set';
      const { id } = (answer.data ?? {}) as { id?: unknown };
      const invitation = { ...ownerAndRepo(repository), invitation_id: id };
      const undo = { route: 'DELETE /repos/{owner}/{repo}/invitations/{invitation_id}', parameters: invitation };
      const undone = await client.send(undo);
      if (outcomeOf(undone, nowMs()).kind !== 'done') throw new GitHubRefusedError(undo, undone);
      return 'invited';
    },
    async remove() {
      const request = { route: `DELETE ${route}`, parameters: own };
      const answer = await client.send(request);
      if (outcomeOf(answer, nowMs()).kind !== 'done') throw new GitHubRefusedError(request, answer);
    },
  };
}

type Listed = { id: number; role_name?: string; permissions?: Record<string, boolean> };

async function nameOf(client: GitHubClient, id: string): Promise<string> {
  const request = { route: 'GET /repositories/{repository_id}', parameters: { repository_id: id } };
  const answer = await client.send(request);
  const { id: told, full_name: name } = (answer.data ?? {}) as { id?: unknown; full_name?: unknown };
  if (answer.status === 200 && String(told) === id && typeof name === 'string') return name;
  throw new GitHubRefusedError(request, answer);
}

const giveUp = (reason: string, message: string) => new CollaboratorError({ kind: 'give-up', reason, message });

/** What is none of ours, such as a fault in `work`, stays what it is. */
function explained(error: unknown, nowMs: () => number): unknown {
  if (error instanceof NoTokenError) return new CollaboratorError(error.outcome);
  if (error instanceof NoAnswerError)
    return new CollaboratorError({ kind: 'retry', reason: error.reason, message: error.message });
  if (!(error instanceof GitHubRefusedError)) return error;
  const outcome = outcomeOf(error.answer, nowMs());
  if (outcome.kind === 'done') return giveUp('not-found', error.message);
  return new CollaboratorError({ ...outcome, message: error.message });
}
