import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';

/**
 * GitHub reports some acts twice: a team's access to a repository by the webhook events `team` and `team_add`, a new tag
 * by `push` and `create`, a new member by a webhook and in the audit log. Such events name their fact, so that it counts
 * once; see `tripline.fact.id` in contracts/attributes.ts.
 */
export function factOf(
  teller: string,
  type: EventType,
  data: Attributes,
  time: string,
): Pick<Attributes, 'tripline.fact.id' | 'tripline.fact.teller'> | undefined {
  const named = nameOf(type, data);
  return named === undefined ? undefined : factNamed(teller, named, time);
}

/** The attributes of a fact by its name; `id`: the provider's own for the act, so that no time is needed. */
export function factNamed(
  teller: string,
  named: Named,
  time: string,
): Pick<Attributes, 'tripline.fact.id' | 'tripline.fact.teller'> {
  const parts = named.parts.map((part) => clip((part ?? '').toLowerCase(), 120));
  // Where the provider has an id for the act, no time is needed to distinguish it from others.
  const minute = `${time.slice(0, 16)}Z`;
  const own = named.isAgain ? `${named.id}/${minute}` : named.id;
  const which = own === undefined ? `@${minute}` : `#${clip(own, 80)}`;
  return { 'tripline.fact.id': clip(`fact:${parts.join(':')}${which}`, 512), 'tripline.fact.teller': teller };
}

/** `isAgain`: what the id names may be done again, at another time. */
export type Named = { parts: readonly (string | undefined)[]; id?: string | undefined; isAgain?: true };

function nameOf(type: EventType, data: Attributes): Named | undefined {
  const repository = data['vcs.repository.id'] ?? data['vcs.repository.name'];
  switch (type) {
    case 'dev.cdeventsx.tripline-grant.added':
    case 'dev.cdeventsx.tripline-grant.changed':
    case 'dev.cdeventsx.tripline-grant.removed':
    case 'dev.cdeventsx.tripline-credential.requested':
      return grantName(type.slice(type.lastIndexOf('.') + 1), data);
    case 'dev.cdeventsx.tripline-control.changed':
      return controlName(data, repository);
    case 'dev.cdevents.branch.created':
    case 'dev.cdeventsx.tripline-tag.created':
      return refName('created', data, repository);
    case 'dev.cdevents.branch.deleted':
    case 'dev.cdeventsx.tripline-tag.deleted':
      return refName('deleted', data, repository);
    case 'dev.cdeventsx.tripline-ref.pushed':
      if (data['tripline.ref.created']) return refName('created', data, repository);
      return data['tripline.ref.deleted'] ? refName('deleted', data, repository) : undefined;
    case 'dev.cdevents.artifact.published':
      return {
        parts: ['published', data['vcs.owner.name'], data['tripline.package.name'], data['tripline.package.version']],
      };
    default:
      return undefined;
  }
}

function controlName(data: Attributes, repository: string | undefined): Named | undefined {
  const { 'tripline.control.kind': kind, 'tripline.control.action': action = '', ...of } = data;
  const { 'tripline.control.name': name, 'tripline.control.id': id } = of;
  switch (kind) {
    case 'visibility':
    case 'branch-protection-switch':
      return { parts: [kind, action, repository] };
    case 'branch-protection':
      return { parts: [kind, action, repository, name] };
    case 'ruleset':
      return { parts: [kind, action, repository, id] };
    case 'hook':
      return id !== undefined && (action === 'deleted' || action === 'destroy')
        ? { parts: [kind, 'deleted'], id }
        : undefined;
    case 'secret-scanning':
      return id !== undefined && (action === 'created' || action === 'publicly_leaked')
        ? { parts: [kind, action, repository], id }
        : undefined;
    case 'repository':
      if (action === 'created' && repository !== undefined) return { parts: [kind, action], id: repository };
      return of['tripline.control.changes']?.['default_branch'] === undefined
        ? undefined
        : { parts: ['default-branch', repository] };
    case 'security-alert':
      return { parts: [kind, actionsOfAlerts.get(action) ?? action, repository, name] };
    default:
      return undefined;
  }
}

/** Actions of `repository_vulnerability_alert` by the names that `dependabot_alert` uses. */
const actionsOfAlerts = new Map([
  ['create', 'created'],
  ['dismiss', 'dismissed'],
  ['resolve', 'fixed'],
]);

function grantName(verb: string, data: Attributes): Named {
  const kind = data['tripline.grant.kind']!;
  const { 'tripline.grant.id': id, 'tripline.grant.fingerprint': fingerprint, ...of } = data;
  const grantee = of['tripline.grant.grantee_id'] ?? of['tripline.grant.grantee'];
  const target = of['tripline.grant.target_id'] ?? of['tripline.grant.target'];
  const parts = [verb, kind, target, grantee];
  switch (kind) {
    // Each happens once, and has an id of its own at GitHub.
    case 'personal-access-token':
      return verb === 'added' || verb === 'requested' ? { parts: [verb, kind], id } : { parts };
    case 'org-invitation':
      return verb === 'added' ? { parts, id } : { parts };
    case 'deploy-key':
      // The audit log knows a key by its fingerprint, and both say when it was added; it may be again once it is deleted.
      if (verb === 'added' && fingerprint !== undefined)
        return { parts: [verb, kind, target], id: fingerprint, isAgain: true };
      return verb === 'changed' ? { parts } : { parts, id };
    // The audit log knows these by their names alone.
    case 'app-installation':
    case 'app-repositories':
      return { parts: [verb, kind, of['tripline.grant.target'], of['tripline.grant.grantee']] };
    case 'team-member':
      return { parts: [verb, kind, of['tripline.grant.target'], grantee] };
    case 'team-repository':
      return { parts: [verb, kind, target, of['tripline.grant.grantee']] };
    case 'team':
      return { parts: [verb, kind, of['tripline.grant.target'], of['tripline.grant.grantee']] };
    default:
      return { parts };
  }
}

function refName(verb: string, data: Attributes, repository: string | undefined): Named {
  return { parts: [verb, data['vcs.ref.head.type'], repository, data['vcs.ref.head.name']] };
}
