import type { IntentOf, PersonRef } from '@tripline/contracts/response';
import type { Check } from '../../provider.ts';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type ActionContext,
  type Asked,
  askByAddress,
  askByListing,
  changeOnce,
  isPerson,
  noClock,
  personOf,
} from './action.ts';
import { directCollaborators, onGrant, scopeOfGrant, targetsOfGrant } from './grant.ts';

/** What GitHub's API can restore: a team's parent must be changed by a person. */
type RestorePermission = Exclude<IntentOf<'restore-permission'>, { grant: 'team' }>;

/** GitHub's own permissions on a repository, the least first, by both of its words for each. */
const levels = [['pull', 'read'], ['triage'], ['push', 'write'], ['maintain'], ['admin']] as const;

/** How much a permission on a repository allows, from 0; undefined for a role of the organisation's own. */
function levelOf(permission: string): number | undefined {
  const level = levels.findIndex((words) => words.some((word) => word === permission.toLowerCase()));
  return level < 0 ? undefined : level;
}

/** A permission as GitHub's requests name it. A role of the organisation's own keeps its name. */
const wordOf = (permission: string) => levels[levelOf(permission) ?? -1]?.[0] ?? permission;

/**
 * A6: gives back the permission that somebody had before it was raised, and leaves them with it: removing all access
 * would punish the person whose permission an attacker raised. It never raises one: a permission that is as low
 * already, or cannot be compared, is left alone.
 */
export const restorePermission: Action<RestorePermission> = {
  code: 'A6',
  reversible: true,
  undo: (step) =>
    `give ${holderOf(step)} ${step.permission ?? 'the permission that they had'} on ${thingOf(step)} again`,
  scope: scopeOfGrant,
  targets: targetsOfGrant,
  request,
  ask: (step, context) => lookedUp(step, context),
  act: (step, context) =>
    changeOnce(request(step), context, ({ status }) =>
      status === 201
        ? { kind: 'done', reason: 'accepted', message: 'They were taken out meanwhile: GitHub invited them with it' }
        : undefined,
    ),
  check,
};

function request(step: RestorePermission): GitHubRequest {
  const { grant, formerPermission } = step;
  return onGrant(
    step,
    'PUT',
    grant === 'org-member' ? { role: formerPermission } : { permission: wordOf(formerPermission) },
  );
}

const holderOf = (step: RestorePermission) => ('user' in step ? step.user : `team ${step.team}`);
const thingOf = (step: RestorePermission) => ('repository' in step ? step.repository : step.organization);

/** What a holder has today, by GitHub's listings: `permissions` says the most of it where a role is the organisation's own. */
type Held = {
  role_name?: string;
  permission?: string;
  permissions?: Record<string, boolean | undefined>;
};
type Collaborator = Held & { login: string; id: number };
type Team = Held & { id: number; slug: string };

function lookedUp(step: RestorePermission, context: Pick<ActionContext, 'client' | 'clock'>): Promise<Asked> {
  const absent = `${holderOf(step)} has nothing on ${thingOf(step)} any more`;
  switch (step.grant) {
    case 'org-member':
      return askByAddress(context, onGrant(step, 'GET'), {
        absent,
        read({ role, user }) {
          const member = personOf(user);
          if (member !== undefined && !isPerson(member, { login: step.user, id: step.userId })) {
            return {
              result: 'not-so',
              detail: `${step.user} is another account now than the one that the finding names`,
            };
          }
          const isAdmin = role === 'admin';
          if (!isAdmin || step.formerPermission !== 'member') return lowEnough(step, String(role));
          const people = member === undefined ? [] : [member];
          return { result: 'so', detail: `${step.user} is an owner of ${step.organization}`, people };
        },
      });
    case 'team-repository':
      return askByListing<Team>(context, teamsOf(step), (team) => isTeam(team, step), {
        absent: () => ({ result: 'not-so', detail: absent }),
        read: (team) => judge(step, team, []),
      });
    case 'collaborator': {
      const named = { login: step.user, id: step.userId };
      return askByListing<Collaborator>(
        context,
        directCollaborators(step.repository),
        (one) => isPerson(personOf(one) ?? {}, named),
        {
          absent: () => ({ result: 'not-so', detail: absent }),
          read(one) {
            const person = personOf(one);
            const asked = judge(step, one, person === undefined ? [] : [person]);
            // A renamed account is found by id, and addressed by its present login.
            return asked.result === 'so' ? { ...asked, now: { ...step, user: one.login } } : asked;
          },
        },
      );
    }
  }
}

/** Whether what is held today is more than what was held before. */
function judge(step: RestorePermission, held: Held, people: readonly PersonRef[]): Asked {
  const today = nameOf(held);
  const isHigher = exceeds(held, step.formerPermission);
  if (isHigher === true) {
    return { result: 'so', detail: `${holderOf(step)} has ${today} on ${thingOf(step)}`, people };
  }
  if (isHigher === false) return lowEnough(step, today);
  return {
    result: 'not-so',
    detail: `${holderOf(step)} has ${today} on ${thingOf(step)}, which cannot be compared with ${step.formerPermission}`,
    alive: true,
  };
}

function lowEnough(step: RestorePermission, today: string): Asked {
  return { result: 'not-so', detail: `${holderOf(step)} has ${today} on ${thingOf(step)}, and no more` };
}

function nameOf({ role_name: role, permission, permissions }: Held): string {
  const level = highest(permissions);
  return role ?? permission ?? (level === undefined ? 'a permission' : levels[level]![0]);
}

function highest(permissions: Held['permissions']): number | undefined {
  const level = levels.findLastIndex(([word]) => permissions?.[word] === true);
  return level < 0 ? undefined : level;
}

/** Whether more is held than `former`; undefined where a role of the organisation's own stands in the way. */
function exceeds(held: Held, former: string): boolean | undefined {
  const name = held.role_name ?? held.permission;
  if (name !== undefined && wordOf(name).toLowerCase() === wordOf(former).toLowerCase()) return false;
  const before = levelOf(former);
  const now = (name === undefined ? undefined : levelOf(name)) ?? highest(held.permissions);
  if (before !== undefined && now !== undefined) {
    // A custom role allows more than the named role on which it is built.
    return now > before || (now === before && name !== undefined && levelOf(name) === undefined);
  }
  // Nothing allows more than admin, and every custom role allows less.
  return now === levels.length - 1 && before === undefined ? true : undefined;
}

async function check(step: RestorePermission, { client }: Pick<ActionContext, 'client'>): Promise<Check> {
  const asked = await lookedUp(step, { client, clock: noClock });
  switch (asked.result) {
    case 'so':
      return { result: 'alive', detail: asked.detail };
    case 'not-so':
      return asked.alive ? { result: 'unknown', detail: asked.detail } : { result: 'dead', detail: asked.detail };
    case 'unknown':
      return { result: 'unknown', detail: asked.detail };
  }
}

const isTeam = ({ id, slug }: Team, step: { team: string; teamId?: string | undefined }) =>
  step.teamId === undefined ? slug.toLowerCase() === step.team.toLowerCase() : String(id) === step.teamId;

const teamsOf = (step: Extract<RestorePermission, { grant: 'team-repository' }>): GitHubRequest => ({
  route: 'GET /repos/{owner}/{repo}/teams',
  parameters: ownerAndRepo(step.repository),
});
