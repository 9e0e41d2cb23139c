import { createHash } from 'node:crypto';
import type { EventType } from '@tripline/contracts/event';
import { isNamedRole, rankOf } from '@tripline/contracts/permission';
import { z } from 'zod';
import { identifier, loginText, text, textRecord, texts, utc } from '../untrusted.ts';
import {
  account,
  bodyOf,
  flag,
  instant,
  maybe,
  number,
  permissions,
  repository as repositoryBody,
  repositoryName,
  repositoryNames,
  someone,
  string,
} from './body.ts';
import { defineEvent } from './family.ts';

const added = 'dev.cdeventsx.tripline-grant.added';
const changed = 'dev.cdeventsx.tripline-grant.changed';
const removed = 'dev.cdeventsx.tripline-grant.removed';

/** The grant's event type for an action, by a table of actions. */
function typeOf(types: Record<string, EventType>, action: string): EventType | undefined {
  return Object.hasOwn(types, action) ? types[action] : undefined;
}

type Holder = { id?: number | string | null | undefined } | null | undefined;

/** The target of the grant. The id stays when the name changes. */
const onRepository = (repository: (Holder & { full_name: string }) | null | undefined) => ({
  'tripline.grant.target': repositoryName(repository?.full_name),
  'tripline.grant.target_id': identifier(repository?.id),
});
const onOrganization = (organization: (Holder & { login?: string | null | undefined }) | null | undefined) => ({
  'tripline.grant.target': loginText(organization?.login),
  'tripline.grant.target_id': identifier(organization?.id),
});

const fromTo = z.object({ from: maybe, to: maybe }).nullish();

/** GitHub's older field `permission` has only read, write and admin: which of them each role maps to. */
const olderWords = new Map([
  ['pull', 'read'],
  ['triage', 'read'],
  ['push', 'write'],
  ['maintain', 'write'],
]);
const olderWord = (right: string) => olderWords.get(right.toLowerCase()) ?? right.toLowerCase();

/**
 * Somebody's permission, from both fields that GitHub has for it: `role_name` may be a custom role. A custom role may
 * have the name of a lesser built-in role; where `permission` contradicts the name, it is reported as custom, and ranks
 * as unknown.
 */
function rightOf(permission: string | null | undefined, role: string | null | undefined): string | undefined {
  const told = text(permission || undefined);
  const name = text(role || undefined);
  if (told === undefined || name === undefined) return name ?? told;
  return isNamedRole(name) && olderWord(name) !== olderWord(told) ? `custom role ${name} (${told})` : name;
}

/** The strongest right that is true in a repository's `permissions`. */
function strongestOf(rights: Record<string, unknown> | null | undefined): string | undefined {
  const held = Object.entries(rights ?? {}).flatMap(([right, holds]) => (holds === true ? [right] : []));
  if (rights && Object.keys(rights).length > 0 && held.length === 0) return 'none';
  return held.sort((a, b) => rankOf(b) - rankOf(a))[0];
}

/** A collaborator on a repository. */
export const member = defineEvent({
  marks: ['action', 'member', 'repository'],
  schema: bodyOf({
    action: string,
    member: account,
    changes: z.object({ old_permission: fromTo, permission: fromTo, role_name: fromTo }).nullish(),
  }),
  normalise({ action, member, changes, repository }) {
    const type = typeOf({ added, edited: changed, removed }, action);
    if (!type) return undefined;
    return {
      type,
      data: {
        'tripline.grant.kind': 'collaborator',
        'tripline.grant.grantee': loginText(member.login),
        'tripline.grant.grantee_id': identifier(member.id),
        ...onRepository(repository),
        'tripline.grant.permission': rightOf(changes?.permission?.to, changes?.role_name?.to),
        'tripline.grant.permission_before': rightOf(
          changes?.permission?.from ?? changes?.old_permission?.from,
          changes?.role_name?.from,
        ),
      },
    };
  },
});

const parentBody = z.object({ id: number.nullish(), name: maybe, slug: maybe });
const teamBody = z.object({
  id: number.nullish(),
  name: maybe,
  slug: maybe,
  permission: maybe,
  parent: parentBody.nullish(),
});
type Team = z.infer<typeof teamBody>;
/** A deleted team has only a name. */
const slugOf = (team: Pick<Team, 'slug' | 'name'>) => loginText(team.slug) ?? text(team.name, 256);

export const membership = defineEvent({
  marks: ['action', 'scope', 'member', 'team'],
  schema: bodyOf({ action: string, member: someone, team: teamBody }),
  normalise({ action, member, team, organization }) {
    const type = typeOf({ added, removed }, action);
    if (!type) return undefined;
    return {
      type,
      data: {
        'tripline.grant.kind': 'team-member',
        'tripline.grant.grantee': loginText(member?.login),
        'tripline.grant.grantee_id': identifier(member?.id),
        'tripline.grant.target': organization ? `${loginText(organization.login)}/${slugOf(team)}` : undefined,
        'tripline.grant.target_id': identifier(team.id),
        'tripline.grant.team': slugOf(team),
      },
    };
  },
});

const teamTypes = { created: added, edited: changed, deleted: removed } as const;
const teamRepositoryTypes = {
  created: added,
  added_to_repository: added,
  edited: changed,
  removed_from_repository: removed,
} as const;

/** A repository in team events, with the team's permissions on it; `team.permission` does not contain them. */
const teamsRepository = repositoryBody.extend({ permissions, role_name: maybe }).nullish();
const formerRights = z.object({ permissions: z.object({ from: permissions }).nullish() }).nullish();

const onRepositoryByTeam = (team: Team, repository: z.infer<typeof teamsRepository>) => ({
  'tripline.grant.kind': 'team-repository' as const,
  'tripline.grant.grantee': slugOf(team),
  'tripline.grant.grantee_id': identifier(team.id),
  ...onRepository(repository),
  'tripline.grant.permission': rightOf(strongestOf(repository?.permissions), repository?.role_name),
  'tripline.grant.team': slugOf(team),
});

function formerParentOf(change: unknown): string | undefined {
  const former = z.object({ from: parentBody.nullable() }).safeParse(change);
  if (!former.success) return undefined;
  return former.data.from === null ? '' : slugOf(former.data.from);
}

/** A team was created, changed or deleted; or, with a repository, the team's permissions on it. */
export const team = defineEvent({
  marks: ['action', 'team'],
  schema: bodyOf({
    action: string,
    team: teamBody,
    repository: teamsRepository,
    changes: z.looseObject({ repository: formerRights }).nullish(),
  }),
  normalise({ action, team, changes, organization, repository }) {
    const type = typeOf(repository ? teamRepositoryTypes : teamTypes, action);
    if (!type) return undefined;
    if (repository) {
      const before = strongestOf(changes?.repository?.permissions?.from);
      return { type, data: { ...onRepositoryByTeam(team, repository), 'tripline.grant.permission_before': before } };
    }
    const isUnder = action === 'created' || (action === 'edited' && changes?.['parent'] !== undefined);
    return {
      type,
      data: {
        'tripline.grant.kind': 'team',
        'tripline.grant.grantee': slugOf(team),
        'tripline.grant.grantee_id': identifier(team.id),
        ...onOrganization(organization),
        'tripline.grant.permission': action === 'created' ? text(team.permission) : undefined,
        'tripline.grant.team': slugOf(team),
        'tripline.grant.parent': isUnder && team.parent ? slugOf(team.parent) : undefined,
        'tripline.grant.parent_id': isUnder ? identifier(team.parent?.id) : undefined,
        'tripline.grant.parent_before': formerParentOf(changes?.['parent']),
      },
    };
  },
});

export const teamAdd = defineEvent({
  marks: ['team', 'repository'],
  schema: bodyOf({ team: teamBody, repository: teamsRepository }),
  normalise: ({ team, repository }) => ({ type: added, data: onRepositoryByTeam(team, repository) }),
});

/** Of a public key for SSH, as `ssh-keygen -l` prints it; undefined where it is none. */
function fingerprintOf(key: string | null | undefined): string | undefined {
  const blob = /^[\w@.-]{1,64} ([A-Za-z0-9+/]{16,8192}={0,2})(?: |$)/.exec(key ?? '')?.[1];
  if (blob === undefined) return undefined;
  return `SHA256:${createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replaceAll('=', '')}`;
}

export const deployKey = defineEvent({
  marks: ['action', 'key', 'repository'],
  schema: bodyOf({
    action: string,
    key: z.object({ id: number, key: maybe, title: maybe, read_only: flag, created_at: instant, added_by: maybe }),
  }),
  normalise({ action, key, repository }) {
    const type = typeOf({ created: added, deleted: removed }, action);
    if (!type) return undefined;
    return {
      type,
      time: action === 'created' ? key.created_at : undefined,
      data: {
        'tripline.grant.kind': 'deploy-key',
        'tripline.grant.id': identifier(key.id),
        'tripline.grant.fingerprint': fingerprintOf(key.key),
        // A key without a title must be reported too.
        'tripline.grant.grantee': text(key.title) || 'a key without a title',
        ...onRepository(repository),
        // A key may write unless GitHub says that it is read-only.
        'tripline.grant.permission': key.read_only === true ? 'read' : 'write',
      },
    };
  },
});

const installationBody = z.object({
  id: number,
  account: account.extend({ slug: maybe }).nullish(),
  app_id: number.nullish(),
  app_slug: maybe,
  permissions,
  repository_selection: maybe,
  created_at: instant,
});

/** A suspended app has no access until it is unsuspended. */
const installationTypes = {
  created: added,
  unsuspend: added,
  new_permissions_accepted: changed,
  suspend: removed,
  deleted: removed,
} as const;

function installationAttributes(installation: z.infer<typeof installationBody>) {
  return {
    'tripline.grant.id': identifier(installation.id),
    'tripline.grant.grantee':
      text(installation.app_slug) ?? identifier(installation.app_id) ?? `installation ${installation.id}`,
    'tripline.grant.grantee_id': identifier(installation.app_id),
    // For an App on an enterprise, the account has no login, only a slug.
    'tripline.grant.target': loginText(installation.account?.login ?? installation.account?.slug),
    'tripline.grant.target_id': identifier(installation.account?.id),
    'tripline.grant.permissions': textRecord(installation.permissions),
  };
}

const namesOf = (repositories: z.infer<typeof repositoryNames>) =>
  texts(
    repositories?.map((repository) => repository.full_name),
    1000,
  );

export const installation = defineEvent({
  marks: ['action', 'installation'],
  carries: ['repositories', 'requester'],
  schema: bodyOf({ action: string, installation: installationBody, repositories: repositoryNames }),
  normalise({ action, installation, repositories }) {
    const type = typeOf(installationTypes, action);
    if (!type) return undefined;
    return {
      type,
      time: action === 'created' ? installation.created_at : undefined,
      data: {
        ...installationAttributes(installation),
        'tripline.grant.kind': 'app-installation',
        'tripline.grant.repositories': installation.repository_selection === 'all' ? ['*'] : namesOf(repositories),
      },
    };
  },
});

export const installationRepositories = defineEvent({
  marks: ['action', 'installation', 'repositories_added', 'repositories_removed'],
  carries: ['repository_selection', 'requester'],
  schema: bodyOf({
    action: string,
    installation: installationBody,
    repository_selection: maybe,
    repositories_added: repositoryNames,
    repositories_removed: repositoryNames,
  }),
  normalise(body) {
    const type = typeOf({ added, removed }, body.action);
    if (!type) return undefined;
    const all = body.action === 'added' && body.repository_selection === 'all';
    return {
      type,
      data: {
        ...installationAttributes(body.installation),
        'tripline.grant.kind': 'app-repositories',
        'tripline.grant.repositories': all
          ? ['*']
          : namesOf(body.action === 'added' ? body.repositories_added : body.repositories_removed),
      },
    };
  },
});

const byArea = z.object({ organization: permissions, repository: permissions, other: permissions }).nullish();

export const personalAccessTokenRequest = defineEvent({
  marks: ['action', 'personal_access_token_request'],
  schema: bodyOf({
    action: string,
    personal_access_token_request: z.object({
      id: number.nullish(),
      owner: someone,
      permissions_result: byArea,
      repository_selection: maybe,
      repositories: repositoryNames,
      created_at: instant,
      token_id: number.nullish(),
      token_expires_at: instant,
    }),
  }),
  normalise({ action, personal_access_token_request: request, organization }) {
    const type = typeOf({ created: 'dev.cdeventsx.tripline-credential.requested', approved: added }, action);
    if (!type) return undefined;
    const result = request.permissions_result;
    return {
      type,
      time: action === 'created' ? request.created_at : undefined,
      data: {
        'tripline.credential.id': identifier(request.token_id),
        'tripline.credential.kind': 'fine-grained-personal-access-token',
        'tripline.grant.kind': 'personal-access-token',
        'tripline.grant.id': identifier(request.id),
        'tripline.grant.grantee': loginText(request.owner?.login),
        'tripline.grant.grantee_id': identifier(request.owner?.id),
        ...onOrganization(organization),
        'tripline.grant.permissions': textRecord({ ...result?.other, ...result?.organization, ...result?.repository }),
        'tripline.grant.repositories': request.repository_selection === 'all' ? ['*'] : namesOf(request.repositories),
        'tripline.grant.expires_at': utc(request.token_expires_at),
      },
    };
  },
});

export const githubAppAuthorization = defineEvent({
  marks: ['action'],
  lacks: ['repository', 'changes'],
  schema: bodyOf({ action: string, sender: account }),
  normalise({ action, sender, organization }) {
    if (action !== 'revoked') return undefined;
    return {
      type: removed,
      data: {
        'tripline.grant.kind': 'user-authorization',
        'tripline.grant.grantee': loginText(sender.login),
        'tripline.grant.grantee_id': identifier(sender.id),
        ...onOrganization(organization),
      },
    };
  },
});

/** Members and invitations of an organisation; its own renaming and deletion are in control.ts. */
export const organizationFields = {
  membership: z.object({ role: maybe, user: someone }).nullish(),
  invitation: z
    .object({ id: number.nullish(), login: maybe, role: maybe, created_at: instant, inviter: someone })
    .nullish(),
  user: someone,
};
const organizationPeople = bodyOf({ action: string, ...organizationFields });

export function toldOfPeople(body: z.infer<typeof organizationPeople>) {
  const { action, invitation, organization } = body;
  if (action === 'member_invited') {
    const inviter = invitation?.inviter ?? body.sender;
    return {
      type: added as EventType,
      time: invitation?.created_at,
      data: {
        'user.name': loginText(inviter?.login),
        'user.id': identifier(inviter?.id),
        'user.type': text(inviter?.type),
        'tripline.grant.kind': 'org-invitation' as const,
        'tripline.grant.id': identifier(invitation?.id),
        // Somebody invited by e-mail address has no login yet; the address is not stored.
        'tripline.grant.grantee': loginText(invitation?.login ?? body.user?.login) ?? 'somebody without an account',
        'tripline.grant.grantee_id': identifier(body.user?.id),
        ...onOrganization(organization),
        'tripline.grant.permission': text(invitation?.role),
      },
    };
  }
  const type = typeOf({ member_added: added, member_removed: removed }, action);
  if (!type) return undefined;
  return {
    type,
    data: {
      'tripline.grant.kind': 'org-member' as const,
      'tripline.grant.grantee': loginText(body.membership?.user?.login),
      'tripline.grant.grantee_id': identifier(body.membership?.user?.id),
      ...onOrganization(organization),
      'tripline.grant.permission': text(body.membership?.role),
    },
  };
}
