import type { IntentOf } from '@tripline/contracts/response';
import { GitHubRefusedError, type GitHubRequest } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeOnce,
  checkByAsking,
  loginOf,
  noTargets,
} from './action.ts';

type BlockUser = IntentOf<'block-user'>;

const onUser = (step: BlockUser, route: string): GitHubRequest => ({
  route,
  parameters: { org: step.organization, username: step.user },
});

/** A7: blocks an account that is no member: it opens no changes, writes no comments, and forks nothing any more. */
export const blockUser: Action<BlockUser> = {
  code: 'A7',
  reversible: true,
  undo: (step) =>
    `unblock ${step.user} at https://${step.instance}/organizations/${step.organization}/settings/blocked_users`,
  scope: (step) => ({
    owner: step.organization,
    permissions: { organization_user_blocking: 'write', members: 'read' },
  }),
  targets: ({ user: login, userId: id }) => ({ ...noTargets, people: [{ login, id }] }),
  request: (step) => onUser(step, 'PUT /orgs/{org}/blocks/{username}'),
  ask: (step, context) =>
    asked(context.clock, async () => {
      // By its number where that is known: the login may be another account's by now.
      const login = step.userId === undefined ? step.user : await loginOf(context.client, step.userId);
      if (login === undefined) return { result: 'not-so', detail: `there is no account ${step.user} any more` };
      const now = { ...step, user: login };
      const free = await isFree(now, context);
      if (free.result !== 'so') return free;
      if (!(await has(onUser(now, 'GET /orgs/{org}/members/{username}'), context))) return { ...free, now };
      return {
        result: 'not-so',
        detail: `${login} is a member: revoke the membership instead, which a block does not end`,
        alive: true,
      };
    }),
  act: (step, context) => changeOnce(blockUser.request(step), context),
  check: checkByAsking((step, context) => asked(context.clock, () => isFree(step, context))),
};

async function isFree(step: BlockUser, context: Pick<Asking, 'client'>): Promise<Asked> {
  return (await has(onUser(step, 'GET /orgs/{org}/blocks/{username}'), context))
    ? { result: 'not-so', detail: `${step.user} is blocked` }
    : { result: 'so', detail: `${step.user} is not blocked` };
}

/** GitHub's yes is 204, its no 404; 302: the App may not see who is a member. */
async function has(request: GitHubRequest, { client }: Pick<Asking, 'client'>): Promise<boolean> {
  const answer = await client.send(request);
  if (answer.status !== 204 && answer.status !== 404) throw new GitHubRefusedError(request, answer);
  return answer.status === 204;
}
