import type { IntentOf } from '@tripline/contracts/response';
import {
  type Action,
  type Asked,
  type Asking,
  askByAddress,
  askByListing,
  asked,
  changeOnce,
  checkByAddress,
  isPerson,
  loginOf,
  personOf,
} from './action.ts';
import { directCollaborators, onGrant, scopeOfGrant, targetsOfGrant } from './grant.ts';

type RevokeGrant = Exclude<
  IntentOf<'revoke-grant'>,
  { grant: 'org-invitation' | 'org-role' | 'app-installation' | 'access' }
>;

/** A6: takes back a membership, a team's repository or a collaborator's access that somebody holds now. */
export const revokeGrant: Action<RevokeGrant> = {
  code: 'A6',
  reversible: true,
  undo,
  scope: scopeOfGrant,
  targets: targetsOfGrant,
  request: (step) => onGrant(step, 'DELETE'),
  ask,
  // Teams that an identity provider keeps answer 403 to any edit: the finding's remedy must be followed there.
  act: (step, context) => changeOnce(onGrant(step, 'DELETE'), context),
  check: (step, { client }) =>
    checkByAddress(client, onGrant(step, 'GET'), {
      alive: ({ data }) => {
        const { state, role } = (data ?? {}) as { state?: string; role?: string };
        const detail = [role, state].filter((part) => part !== undefined).join(', ');
        // GitHub answers for the access itself: it may also come from a team, an owner's role or an enterprise team.
        return `the access is still there${detail ? ` (${detail})` : ''}, by this grant or another`;
      },
      dead: 'GitHub says there is no such access any more',
    }),
};

/** Who was renamed since is not there under the old login, but may well be under the present one. */
async function ask(step: RevokeGrant, context: Asking): Promise<Asked> {
  const answer = await askByLogin(step, context);
  if (answer.result !== 'not-so' || !('user' in step) || step.userId === undefined) return answer;
  const { userId } = step;
  return asked(context.clock, async () => {
    const login = await loginOf(context.client, userId);
    if (login === undefined || login.toLowerCase() === step.user.toLowerCase()) return answer;
    const now = { ...step, user: login };
    const renamed = await askByLogin(now, context);
    return renamed.result === 'so' ? { ...renamed, now } : renamed;
  });
}

function askByLogin(step: RevokeGrant, context: Asking): Promise<Asked> {
  switch (step.grant) {
    case 'org-member':
    case 'team-member':
      return askByAddress(context, onGrant(step, 'GET'), {
        absent: `${step.user} is no member`,
        read({ state, role, user }) {
          const member = personOf(user);
          if (member?.id !== undefined && step.userId !== undefined && member.id !== step.userId) {
            return {
              result: 'not-so',
              detail: `${step.user} is another account now than the one that the finding names`,
            };
          }
          const detail = [role, state].filter((part) => typeof part === 'string').join(', ');
          return {
            result: 'so',
            detail: `${step.user} is a member${detail ? ` (${detail})` : ''}`,
            people: member === undefined ? [] : [member],
          };
        },
      });
    case 'team-repository':
      return askByAddress(context, onGrant(step, 'GET'), {
        absent: `team ${step.team} has no access to ${step.repository}`,
        read: () => ({ result: 'so', detail: `team ${step.team} has access to ${step.repository}` }),
      });
    case 'collaborator': {
      const named = { login: step.user, id: step.userId };
      return askByListing<Collaborator>(
        context,
        directCollaborators(step.repository),
        (one) => isCollaborator(one, named),
        {
          absent: () => ({ result: 'not-so', detail: `${step.user} is no direct collaborator of ${step.repository}` }),
          read(collaborator) {
            const { role_name: role, permissions } = collaborator;
            if (permissions !== undefined && !permissions.push && !permissions.maintain && !permissions.admin) {
              return { result: 'not-so', detail: `${step.user} may only read ${step.repository} (${role ?? 'read'})` };
            }
            const person = personOf(collaborator);
            return {
              result: 'so',
              detail: `${step.user} is a collaborator of ${step.repository}${role === undefined ? '' : ` (${role})`}`,
              people: person === undefined ? [] : [person],
            };
          },
        },
      );
    }
  }
}

type Collaborator = {
  login: string;
  id: number;
  role_name?: string;
  permissions?: { push?: boolean; maintain?: boolean; admin?: boolean };
};

const isCollaborator = (one: Collaborator, named: { login: string; id: string | undefined }) => {
  const person = personOf(one);
  return person !== undefined && isPerson(person, named);
};

function undo(step: RevokeGrant): string {
  switch (step.grant) {
    case 'org-member':
      return `invite ${step.user} to ${step.organization} again; GitHub keeps their settings for three months`;
    case 'team-member':
      return `add ${step.user} to ${step.organization}/${step.team} again`;
    case 'team-repository':
      return `give ${step.organization}/${step.team} access to ${step.repository} again`;
    case 'collaborator':
      return `invite ${step.user} to ${step.repository} again; a private fork of theirs was deleted with the access and does not come back`;
  }
}
