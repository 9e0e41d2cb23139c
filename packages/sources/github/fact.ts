import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';

/**
 * GitHub reports some acts twice: a team's access to a repository by the webhook events `team` and `team_add`, a new tag
 * by `push` and `create`, a new member by a webhook and in the audit log. Such events name their fact, so that it counts once; see `tripline.fact.id` in
 * contracts/attributes.ts.
 */
export function factOf(
  teller: string,
  type: EventType,
  data: Attributes,
  time: string,
): Pick<Attributes, 'tripline.fact.id' | 'tripline.fact.teller'> | undefined {
  const named = nameOf(type, data);
  if (named === undefined) return undefined;
  const parts = named.parts.map((part) => clip((part ?? '').toLowerCase(), 120));
  // Where the provider has an id for the act, no time is needed to distinguish it from others.
  const which = named.id === undefined ? `@${time.slice(0, 16)}Z` : `#${clip(named.id, 60)}`;
  return { 'tripline.fact.id': clip(`fact:${parts.join(':')}${which}`, 512), 'tripline.fact.teller': teller };
}

type Named = { parts: readonly (string | undefined)[]; id?: string | undefined };

function nameOf(type: EventType, data: Attributes): Named | undefined {
  const repository = data['vcs.repository.id'] ?? data['vcs.repository.name'];
  switch (type) {
    case 'dev.cdeventsx.tripline-grant.added':
    case 'dev.cdeventsx.tripline-grant.changed':
    case 'dev.cdeventsx.tripline-grant.removed':
    case 'dev.cdeventsx.tripline-credential.requested':
      return grantName(type.slice(type.lastIndexOf('.') + 1), data);
    case 'dev.cdeventsx.tripline-control.changed': {
      const { 'tripline.control.kind': kind, 'tripline.control.action': action } = data;
      if (kind === 'visibility') return { parts: [kind, action, repository] };
      const hook = data['tripline.control.id'];
      if (kind === 'hook' && hook !== undefined && (action === 'deleted' || action === 'destroy'))
        return { parts: [kind, 'deleted'], id: hook };
      if (kind !== 'security-alert') return undefined;
      return { parts: [kind, actionsOfAlerts.get(action ?? '') ?? action, repository, data['tripline.control.name']] };
    }
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

/** Actions of `repository_vulnerability_alert` by the names that `dependabot_alert` uses. */
const actionsOfAlerts = new Map([
  ['create', 'created'],
  ['dismiss', 'dismissed'],
  ['resolve', 'fixed'],
]);

/** Acts with an id of their own at GitHub: each happens once. */
const idsOfActs: Record<string, readonly string[]> = {
  'org-invitation': ['added'],
  'deploy-key': ['added', 'removed'],
  'personal-access-token': ['added', 'requested'],
};

function grantName(verb: string, data: Attributes): Named {
  const kind = data['tripline.grant.kind']!;
  const grantee = data['tripline.grant.grantee_id'] ?? data['tripline.grant.grantee'];
  const target = data['tripline.grant.target_id'] ?? data['tripline.grant.target'];
  const isOwn = idsOfActs[kind]?.includes(verb) === true;
  return { parts: [verb, kind, target, grantee], id: isOwn ? data['tripline.grant.id'] : undefined };
}

function refName(verb: string, data: Attributes, repository: string | undefined): Named {
  return { parts: [verb, data['vcs.ref.head.type'], repository, data['vcs.ref.head.name']] };
}
