import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { evidenceSchema } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { sameLogin, tell } from './story.ts';

/** A privileged grant, or its removal, as rules keep it. */
export const grantSchema = z.object({
  eventId: z.string(),
  /** Which act it is, where the provider may tell it twice. */
  fact: z.string().optional(),
  kind: z.string(),
  grantee: z.string(),
  /** The number of the grantee's account, where the provider tells it: a login can change hands. */
  granteeId: z.string().optional(),
  /** `owner/name`, an organisation, or `org/team-slug`. */
  target: z.string(),
  organization: z.string(),
  team: z.string().optional(),
  permission: z.string().optional(),
  /** The grant's id at the provider, for the response. */
  id: z.string().optional(),
  /** Who granted, and the app that acted for them. */
  actor: z.string(),
  app: z.string().optional(),
  /** By the provider's own time. */
  timeMs: z.number(),
  time: z.string(),
  trust: z.enum(['high', 'medium', 'low']),
  evidence: evidenceSchema,
});
export type Grant = z.infer<typeof grantSchema>;

const grantTypes = new Set([
  'dev.cdeventsx.tripline-grant.added',
  'dev.cdeventsx.tripline-grant.changed',
  'dev.cdeventsx.tripline-grant.removed',
  'dev.cdeventsx.tripline-credential.requested',
]);
/** A map, since a role of one's own may be called `constructor`. */
const ranks = new Map([
  ['none', 0],
  ['read', 1],
  ['pull', 1],
  ['triage', 1],
  ['admin', 3],
]);
const rankOf = (permission: string): number => ranks.get(permission.toLowerCase()) ?? 2;

/** The grant that `event` speaks of when it is a privilege; undefined for what only reads, lowers a right, or is none. */
export function grantOf(event: LoggedEvent): Grant | undefined {
  if (!grantTypes.has(event.type)) return undefined;
  const data: Attributes = event.data;
  const kind = data['tripline.grant.kind'];
  if (kind === undefined || !data['tripline.grant.grantee'] || !data['tripline.grant.target']) return undefined;
  const removed = event.type === 'dev.cdeventsx.tripline-grant.removed';
  if (!removed && !isPrivilege(kind, data, event.type === 'dev.cdeventsx.tripline-grant.changed')) return undefined;
  const target = data['tripline.grant.target'];
  const grant = {
    eventId: event.id,
    kind,
    grantee: clip(data['tripline.grant.grantee'], 200),
    target: clip(target, 300),
    organization: data['vcs.owner.name'] ?? target.split('/')[0]!,
    actor: data['user.name'] ?? 'somebody unnamed',
    timeMs: Date.parse(event.time),
    time: event.time,
    trust: event.trust,
    ...(event.fact === undefined ? {} : { fact: event.fact }),
    ...optional('granteeId', data['tripline.grant.grantee_id']),
    ...optional('team', data['tripline.grant.team']),
    ...optional('permission', data['tripline.grant.permission']),
    ...optional('id', kind === 'personal-access-token' ? tokenId(data) : data['tripline.grant.id']),
    ...optional('app', data['tripline.user.app'] && `${data['tripline.user.app']}[bot]`),
  };
  const did = removed ? 'took back' : event.type.endsWith('.requested') ? 'asked for' : 'granted';
  return { ...grant, evidence: tell(event, `${grant.actor} ${did} ${nameGrant(grant)}`) };
}

/** GitHub revokes a token's access by the id of the token, which the request names apart from its own. */
function tokenId(data: Attributes): string | undefined {
  return data['tripline.credential.id'] ?? data['tripline.grant.id'];
}

function optional<K extends string>(name: K, value: string | undefined): { [P in K]?: string } {
  return (value === undefined || value === '' ? {} : { [name]: clip(value, 300) }) as { [P in K]?: string };
}

function isPrivilege(kind: string, data: Attributes, isChange: boolean): boolean {
  const permission = data['tripline.grant.permission'];
  const before = data['tripline.grant.permission_before'];
  switch (kind) {
    case 'org-invitation':
    case 'org-member':
    case 'team-member':
      return true;
    case 'collaborator':
    case 'team-repository':
    case 'deploy-key':
      // A right that the provider did not name may be any.
      if (permission === undefined) return true;
      return rankOf(permission) >= 2 && !(isChange && before !== undefined && rankOf(before) >= rankOf(permission));
    case 'app-installation':
    case 'app-repositories':
    case 'personal-access-token': {
      const rights = Object.values(data['tripline.grant.permissions'] ?? {});
      return rights.length === 0 ? kind === 'personal-access-token' : rights.some((right) => rankOf(right) >= 2);
    }
    default:
      return false;
  }
}

/** Whether two facts speak of one grant. An invitation and the membership that it becomes are one. */
export function sameGrant(a: Grant, b: Grant): boolean {
  const kind = (grant: Grant) => (grant.kind === 'org-invitation' ? 'org-member' : grant.kind);
  return (
    kind(a) === kind(b) &&
    sameLogin(a.grantee, b.grantee) &&
    sameLogin(a.target, b.target) &&
    (a.team ?? '') === (b.team ?? '')
  );
}

/** "membership of acme for mallory", as a title has it. */
export function nameGrant(grant: Pick<Grant, 'kind' | 'grantee' | 'target' | 'permission' | 'team'>): string {
  const right = grant.permission === undefined ? '' : ` (${grant.permission})`;
  switch (grant.kind) {
    case 'org-invitation':
      return `an invitation of ${grant.grantee} to ${grant.target}${right}`;
    case 'org-member':
      return `membership of ${grant.target} for ${grant.grantee}${right}`;
    case 'team-member':
      return `membership of team ${grant.target} for ${grant.grantee}`;
    case 'team-repository':
      return `access to ${grant.target} for team ${grant.team ?? grant.grantee}${right}`;
    case 'collaborator':
      return `access to ${grant.target} for ${grant.grantee}${right}`;
    case 'deploy-key':
      return `deploy key "${grant.grantee}" on ${grant.target}${right}`;
    case 'personal-access-token':
      return `a personal access token of ${grant.grantee} on ${grant.target}`;
    default:
      return `app ${grant.grantee} on ${grant.target}`;
  }
}

/** Kinds of grants that nobody holds in person: what `grantee` names is a team, a key or an app. */
const impersonal = new Set(['team', 'team-repository', 'deploy-key', 'app-installation', 'app-repositories']);

/** Whoever was granted something, for a finding's entities: a team that bears the name of a person is not that person. */
export function granteeOf({ kind, grantee }: Grant): { kind: 'user'; id: string }[] {
  return impersonal.has(kind) ? [] : [{ kind: 'user', id: grantee }];
}

/** A finding's subject: the grant, steady over redeliveries. */
export function grantSubject(grant: Grant): string {
  return `${grant.kind}:${grant.grantee}@${grant.target}`;
}

/** What tells one finding on a grant from another: the act, however many deliveries told it. */
export function grantOccasion(grant: Grant): string {
  return grant.fact ?? grant.eventId;
}

/** State of grants does not say yet at which provider they are. */
const place = { provider: 'github', instance: 'github.com' };

/** The intent that takes `grant` back, where its target is known completely. */
export function takeBack(grant: Grant): Intent[] {
  const { organization, grantee: user, target, granteeId: userId, id } = grant;
  const account = userId === undefined ? {} : { userId };
  const isRepository = /^[^/\s]+\/[^/\s]+$/.test(target);
  const revokeGrant = { action: 'revoke-grant', ...place } as const;
  const revokeCredential = { action: 'revoke-credential', ...place } as const;
  switch (grant.kind) {
    case 'org-invitation':
      if (id === undefined) return [];
      return [{ ...revokeGrant, grant: 'org-invitation', organization, invitationId: id, user, ...account }];
    case 'org-member':
      return [{ ...revokeGrant, grant: 'org-member', organization, user, ...account }];
    case 'team-member': {
      const team = grant.team ?? target.split('/').at(-1)!;
      return [{ ...revokeGrant, grant: 'team-member', organization, team, user, ...account }];
    }
    case 'team-repository': {
      if (!isRepository) return [];
      const team = grant.team ?? grant.grantee;
      return [{ ...revokeGrant, grant: 'team-repository', organization, team, repository: target }];
    }
    case 'collaborator':
      return isRepository ? [{ ...revokeGrant, grant: 'collaborator', repository: target, user, ...account }] : [];
    case 'deploy-key':
      if (id === undefined || !isRepository) return [];
      return [{ ...revokeCredential, credential: 'deploy-key', repository: target, credentialId: id }];
    case 'personal-access-token':
      if (id === undefined) return [];
      return [
        { ...revokeCredential, credential: 'personal-access-token', organization, credentialId: id, user, ...account },
      ];
    default:
      return [];
  }
}

/** What a person must do beside or instead of `takeBack`. */
export function remedyFor(grant: Grant): string[] {
  const ask = `Ask ${grant.actor} on another channel than GitHub whether they made this grant; if not, their token or session is stolen.`;
  const rotate = `If it was not ${grant.actor}: end their sessions and have them delete every token. A classic personal access token cannot be revoked by the organisation; only its owner can delete it, or GitHub when it is reported by value.`;
  const settings = `https://github.com/organizations/${grant.organization}/settings`;
  switch (grant.kind) {
    case 'org-invitation':
      return [
        `Cancel the invitation at https://github.com/orgs/${grant.organization}/people/pending_invitations.`,
        ask,
        rotate,
      ];
    case 'app-installation':
    case 'app-repositories':
      return [`Suspend app ${grant.grantee} at ${settings}/installations until somebody answers for it.`, ask, rotate];
    case 'personal-access-token':
      return [
        `Revoke the token of ${grant.grantee} at ${settings}/personal-access-tokens/active. SSH keys that it added stay: look at ${grant.grantee}'s keys too.`,
        ask,
      ];
    case 'deploy-key':
      return [
        `Delete the key at https://github.com/${grant.target}/settings/keys and read what was pushed with it since ${grant.time}.`,
        ask,
        rotate,
      ];
    default:
      return [
        `Withdraw it: ${nameGrant(grant)}. Then read what ${grant.grantee} did since ${grant.time}.`,
        ask,
        rotate,
      ];
  }
}
