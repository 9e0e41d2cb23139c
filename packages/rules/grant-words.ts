import { type Observed, thingKey } from '@tripline/contracts/fact';
import type { Entity } from '@tripline/contracts/finding';
import { rankOf } from '@tripline/contracts/permission';
import type { Intent } from '@tripline/contracts/response';
import type { Because } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { formerOf, type Given, type Grant, type GrantAct, grants } from '@tripline/facts/grants';
import { entityOf, personOf } from '@tripline/facts/things';

/** "membership of acme for mallory", as a title has it. */
export function nameGrant(grant: Grant, { grantee, target, permission, parent }: GrantAct): string {
  const right = permission === undefined ? '' : ` (${permission})`;
  switch (grant.kind) {
    case 'org-invitation':
      return `an invitation of ${grantee} to ${target}${right}`;
    case 'org-member':
      return `membership of ${target} for ${grantee}${right}`;
    case 'team-member':
      return `membership of team ${target} for ${grantee}`;
    case 'team-repository':
      return `access to ${target} for team ${grant.team ?? grantee}${right}`;
    case 'team':
      return parent === undefined
        ? `team ${grantee} in ${target}${right}`
        : `the rights of team ${parent} in ${target} for team ${grantee}`;
    case 'collaborator':
      return `access to ${target} for ${grantee}${right}`;
    case 'deploy-key':
      return `deploy key "${grantee}" on ${target}${right}`;
    case 'personal-access-token':
      return `a personal access token of ${grantee} on ${target}`;
    default:
      return `app ${grantee} on ${target}`;
  }
}

/** A sentence's beginning. */
export const capital = (text: string): string => text.replace(/^./u, (letter) => letter.toUpperCase());

/** A finding's subject: the grant in the names of the time, steady over redeliveries. */
export const grantSubject = ({ kind }: Grant, { grantee, target }: GrantAct): string => `${kind}:${grantee}@${target}`;

const verbs = {
  given: 'granted',
  changed: 'granted',
  removed: 'took back',
  requested: 'asked for',
  invited: 'invited',
};

/** An act as a line of evidence. `key`: where it stands in the fact of grants. */
export function becauseOf(key: string, grant: Grant, act: GrantAct): Because {
  const what = act.did === 'invited' ? `${act.grantee} to ${act.target}` : nameGrant(grant, act);
  return because(grants, key, act, `${act.by.login} ${verbs[act.did]} ${what}`);
}

/** Something that was observed, as a line of evidence. */
export const because = (fact: Because['fact'], key: string, of: Observed, what: string): Because => ({
  fact,
  key,
  evidence: {
    ...{ eventId: of.eventId, eventType: of.eventType, time: of.time, what: clip(what, 500) },
    ...(of.url === undefined ? {} : { url: of.url }),
  },
  trust: of.trust,
  ...(of.fact === undefined ? {} : { act: of.fact }),
});

/** Kinds of grants that nobody holds in person: what `grantee` names is a team, a key or an app. */
const impersonal = new Set(['team', 'team-repository', 'deploy-key', 'app-installation', 'app-repositories']);
const isFullName = (text: string): boolean => /^[^/\s]+\/[^/\s]+$/.test(text);

/** Who and what is concerned: a team that bears the name of a person is not that person. */
export function entitiesOf(key: string, grant: Grant, act: GrantAct): Entity[] {
  const { provider, instance, granteeId, repositoryId = grant.targetId } = grant;
  const grantee = { login: act.grantee, ...(granteeId === undefined ? {} : { id: granteeId }) };
  const repository = repositoryId === undefined ? undefined : thingKey(provider, instance, repositoryId);
  return [
    ...(impersonal.has(grant.kind) ? [] : [personOf(grantee, key)]),
    ...(isFullName(act.target) && grant.kind !== 'team-member' ? [entityOf('repository', act.target, repository)] : []),
    entityOf('grant', grantSubject(grant, act), key),
  ];
}

/**
 * What takes a grant back, or down to what was held before: a person or team that had write is not to lose it because
 * somebody made it admin. Empty where no call can.
 */
export function responseTo(grant: Grant, act: Given): Intent[] {
  const { provider, instance, kind } = grant;
  const place = { provider, instance };
  const { grantee: user, target: repository, organization } = act;
  const account = { user, ...named('userId', grant.granteeId) };
  const inOrganization = { organization, ...named('organizationId', grant.organizationId) };
  const onRepository = { repository, ...named('repositoryId', grant.repositoryId ?? grant.targetId) };
  const ofTeam = {
    team: grant.team ?? user,
    ...named('teamId', kind === 'team-member' ? grant.targetId : grant.granteeId),
  };
  const former = formerOf(grant, act);
  const isRestored = former !== undefined && rankOf(former) > 0;
  const permissions = { formerPermission: former ?? '', ...named('permission', act.permission) };
  switch (kind) {
    case 'org-invitation':
      if (act.id === undefined) return [];
      return [{ action: 'revoke-grant', ...place, grant: kind, ...inOrganization, invitationId: act.id, ...account }];
    case 'org-member':
      if (isRestored)
        return [{ action: 'restore-permission', ...place, grant: kind, ...inOrganization, ...account, ...permissions }];
      return [{ action: 'revoke-grant', ...place, grant: kind, ...inOrganization, ...account }];
    case 'team-member':
      return [{ action: 'revoke-grant', ...place, grant: kind, ...inOrganization, ...ofTeam, ...account }];
    case 'team-repository': {
      if (!isFullName(repository)) return [];
      const what = { ...place, grant: kind, ...inOrganization, ...ofTeam, ...onRepository } as const;
      if (isRestored) return [{ action: 'restore-permission', ...what, ...permissions }];
      return [{ action: 'revoke-grant', ...what }];
    }
    case 'team':
      if (act.did !== 'changed' || act.formerParent === undefined) return [];
      return [
        {
          ...{ action: 'restore-permission', ...place, grant: kind, ...inOrganization, ...ofTeam },
          ...named('formerParent', act.formerParent || undefined),
        },
      ];
    case 'collaborator': {
      if (!isFullName(repository)) return [];
      const what = { ...place, grant: kind, ...onRepository, ...account } as const;
      if (isRestored) return [{ action: 'restore-permission', ...what, ...permissions }];
      return [{ action: 'revoke-grant', ...what }];
    }
    case 'deploy-key':
      if (act.id === undefined || !isFullName(repository)) return [];
      return [{ action: 'revoke-credential', ...place, credential: kind, ...onRepository, credentialId: act.id }];
    case 'personal-access-token':
      if (act.id === undefined) return [];
      return [
        {
          action: 'revoke-credential',
          ...place,
          credential: kind,
          ...inOrganization,
          credentialId: act.id,
          ...account,
        },
      ];
    default:
      return [];
  }
}

const named = <K extends string>(name: K, value: string | undefined) =>
  (value === undefined ? {} : { [name]: clip(value, 128) }) as { [P in K]?: string };

/** What a person must do beside or instead of the response. */
export function remedyFor(grant: Grant, act: Given): string[] {
  const who = act.by.login;
  const ask = `Ask ${who} on another channel than the provider whether they made this grant; if not, their token or session is stolen.`;
  const rotate = `If it was not ${who}: end their sessions and have them delete every token. A classic personal access token cannot be revoked by the organisation; only its owner can delete it, or the provider when it is reported by value.`;
  const former = formerOf(grant, act);
  switch (grant.kind) {
    case 'org-invitation':
      return [`Cancel the invitation of ${act.grantee} among the pending ones of ${act.organization}.`, ask, rotate];
    case 'app-installation':
    case 'app-repositories':
      return [
        `Suspend app ${act.grantee} in the settings of ${act.organization} until somebody answers for it.`,
        ask,
        rotate,
      ];
    case 'personal-access-token':
      return [
        `Revoke the token of ${act.grantee} in the settings of ${act.organization}. SSH keys that it added stay: look at ${act.grantee}'s keys too.`,
        ask,
      ];
    case 'deploy-key':
      return [
        `Delete the key in the settings of ${act.target} and read what was pushed with it since ${act.time}.`,
        ask,
        rotate,
      ];
    default:
      return [
        former === undefined || rankOf(former) === 0
          ? `Take it back: ${nameGrant(grant, act)}. Then read what ${act.grantee} did since ${act.time}.`
          : `Give back the former right (${former}) instead of ${nameGrant(grant, act)}. Then read what ${act.grantee} did since ${act.time}.`,
        ask,
        rotate,
      ];
  }
}
