import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { type Fact, type LearnContext, thingKey } from '@tripline/contracts/fact';
import { isRaised, rankOf, strongerOf, writingRank } from '@tripline/contracts/permission';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { floodMs, inOwnOrder, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountOf, accountSchema, authorOf, instanceOf, providerOf } from './things.ts';

/** One report of an act on a grant, with the names of that time: names can change hands. */
const actSchema = observedSchema.extend({
  did: z.enum(['given', 'changed', 'removed', 'requested', 'invited']),
  by: accountSchema,
  /** Login of the app that acted for them. */
  app: z.string().optional(),
  /** The event has no time of the provider's: `time` is when it was received. */
  timeless: z.literal(true).optional(),
  /** Append time in the log, ms, and offset: they order what was received. */
  heardMs: z.number(),
  offset: z.number(),
  grantee: z.string(),
  target: z.string(),
  organization: z.string(),
  /** Its id at the provider, where it has one; a token's is that of the token. */
  id: z.string().optional(),
  permission: z.string().optional(),
  /** Before the change. */
  former: z.string().optional(),
  /** Whether it gives a right to change something; undefined where the event does not say which right. */
  isPrivilege: z.boolean().optional(),
  /** Of an app or a token: what it may write, by the provider's names, in order; how long; and whether on all that the owner has. */
  writes: z.array(z.string()).optional(),
  expiresAt: z.string().optional(),
  everywhere: z.literal(true).optional(),
  /** The team under which a team was put, and where it was before: empty for nowhere. */
  parent: z.string().optional(),
  formerParent: z.string().optional(),
});
export type GrantAct = z.infer<typeof actSchema>;

const grantSchema = z.object({
  provider: z.string(),
  instance: z.string(),
  kind: z.string(),
  targetId: z.string().optional(),
  granteeId: z.string().optional(),
  organizationId: z.string().optional(),
  repositoryId: z.string().optional(),
  team: z.string().optional(),
  acts: z.array(actSchema),
});
export type Grant = z.infer<typeof grantSchema>;

const day = 24 * 3_600_000;
/** Older acts on which no finding rests are forgotten: an invitation may be accepted for seven days. */
const lookedAtMs = 8 * day;
/**
 * How many reports of one grant are kept, by one person and kind (the first and the last) and of all people together;
 * the first ones may be a removal that was in time, the last ones are the present state.
 */
export const mostActs = { firstPerPerson: 8, lastPerPerson: 8, ofAll: 100 } as const;

/**
 * Grants: who was given which right on what, by whom, and when it was taken back. One key per grant, by ids, so that
 * cost is linear in the number of grants, and two deploy keys of one title are distinct. An invitation to an
 * organisation is kept under its own id and under the membership that it becomes.
 */
export const grants: Fact<Grant> = {
  id: 'grants',
  description:
    'Who was given which right on what: collaborators, members of organisations and teams, teams on repositories, teams beneath teams, deploy keys, apps, personal access tokens. ' +
    'Each act with who did it, the right before and after as the strongest of all that is told, and the record of an invitation or request before it. ' +
    'GitHub sends no webhook when a member becomes an owner, when an invitation is cancelled, or for classic personal access tokens.',
  reads: [
    'dev.cdeventsx.tripline-grant.added',
    'dev.cdeventsx.tripline-grant.changed',
    'dev.cdeventsx.tripline-grant.removed',
    'dev.cdeventsx.tripline-credential.requested',
  ],
  value: grantSchema as z.ZodType<Grant>,
  keys: grantKeys,
  learn(known, event, at) {
    const read = readGrant(event, at);
    if (read === undefined) return known;
    const { grant, act } = read;
    const isOfMember = grant.kind === 'org-invitation' && !at.key.includes(':org-invitation:');
    const told = isOfMember ? { ...act, did: 'invited' as const } : act;
    const before = known ?? { ...grant, kind: isOfMember ? 'org-member' : grant.kind, acts: [] };
    const acts = withAct(before.acts, told, at);
    return acts === before.acts && known !== undefined ? known : { ...before, acts };
  },
  keepMs: 14 * day,
};

/** A thing by its id or, where an event has none, by its name. */
const idOrName = (id: string | undefined, name: string | undefined) =>
  id ?? `name:${clip((name ?? '').toLowerCase(), 200)}`;

/** The key of a grant: kind, on what and to whom, or its own id where it has one. */
export function grantKey(
  place: { provider: string; instance: string },
  of: { kind: string; target?: string | undefined; targetId?: string | undefined },
  grantee: { id?: string | undefined; name?: string | undefined },
): string {
  const id = `${of.kind}:${idOrName(of.targetId, of.target)}:${idOrName(grantee.id, grantee.name)}`;
  return thingKey(place.provider, place.instance, id);
}
/** The key of all invitations by e-mail address alone: it is not known yet who will accept them. */
export const addressedKey = (
  place: { provider: string; instance: string },
  organization: { id?: string | undefined; name: string },
) =>
  grantKey(place, { kind: 'org-member', target: organization.name, targetId: organization.id }, { id: 'by-address' });

export const isAddressedKey = (key: string): boolean => key.endsWith(':by-address') && key.includes(':org-member:');

const none: readonly string[] = [];
function grantKeys(event: LoggedEvent): readonly string[] {
  const data: Attributes = event.data;
  const kind = data['tripline.grant.kind'];
  if (kind === undefined || kind === 'user-authorization') return none;
  if (!data['tripline.grant.grantee'] || !data['tripline.grant.target']) return none;
  const place = { provider: providerOf(event), instance: instanceOf(event) };
  const target = { target: data['tripline.grant.target'], targetId: data['tripline.grant.target_id'] };
  const holder = { id: data['tripline.grant.grantee_id'], name: data['tripline.grant.grantee'] };
  const own = { id: data['tripline.grant.id'] ?? holder.id, name: holder.name };
  switch (kind) {
    case 'org-invitation': {
      const member = { ...target, kind: 'org-member' };
      const becomes = isAddressed(data)
        ? addressedKey(place, { id: target.targetId, name: target.target })
        : grantKey(place, member, holder);
      return [grantKey(place, { ...target, kind }, own), becomes];
    }
    case 'deploy-key':
    case 'personal-access-token':
    case 'app-installation':
    case 'app-repositories':
      return [grantKey(place, { ...target, kind }, own)];
    default:
      return [grantKey(place, { ...target, kind }, holder)];
  }
}

/** Somebody was invited by an address; no account is known. */
const isAddressed = (data: Attributes): boolean =>
  data['tripline.grant.grantee_id'] === undefined && data['tripline.grant.grantee'] === 'somebody without an account';

const doings = {
  'dev.cdeventsx.tripline-grant.added': 'given',
  'dev.cdeventsx.tripline-grant.changed': 'changed',
  'dev.cdeventsx.tripline-grant.removed': 'removed',
  'dev.cdeventsx.tripline-credential.requested': 'requested',
} as const;

function readGrant(
  event: LoggedEvent,
  at: { nowMs: number },
): { grant: Omit<Grant, 'acts'>; act: GrantAct } | undefined {
  const did = doings[event.type as keyof typeof doings];
  const data: Attributes = event.data;
  const { 'tripline.grant.kind': kind, 'tripline.grant.grantee': grantee, 'tripline.grant.target': target } = data;
  if (did === undefined || kind === undefined || !grantee || !target) return undefined;
  const isToken = kind === 'personal-access-token';
  const grant = {
    provider: providerOf(event),
    instance: instanceOf(event),
    kind,
    ...optional('targetId', data['tripline.grant.target_id']),
    ...optional('granteeId', data['tripline.grant.grantee_id']),
    ...optional('organizationId', data['vcs.owner.id']),
    ...optional('repositoryId', data['vcs.repository.id']),
    ...optional('team', data['tripline.grant.team']),
  };
  const permission = data['tripline.grant.permission'];
  const former = data['tripline.grant.permission_before'];
  const formerParent = data['tripline.grant.parent_before'];
  const privilege = did === 'removed' ? undefined : isPrivilege(kind, data, did === 'changed');
  const act: GrantAct = {
    ...observedBy(event),
    did,
    by: accountOf(data['user.name'], data['user.id'], data['user.type']) ?? nobody,
    ...optional('app', data['tripline.user.app'] && `${data['tripline.user.app']}[bot]`),
    heardMs: at.nowMs,
    offset: event.position.offset,
    grantee: clip(grantee, 200),
    target: clip(target, 300),
    organization: clip(data['vcs.owner.name'] ?? target.split('/')[0]!, 100),
    ...optional('id', (isToken ? data['tripline.credential.id'] : undefined) ?? data['tripline.grant.id']),
    ...optional('permission', permission),
    ...optional('former', former),
    ...optional('parent', data['tripline.grant.parent']),
    ...(formerParent === undefined ? {} : { formerParent: clip(formerParent, 300) }),
    ...(data['tripline.time.received'] ? { timeless: true } : {}),
    ...(privilege === undefined ? {} : { isPrivilege: privilege }),
    ...(broadKinds.has(kind) && did !== 'removed' ? breadthOf(data) : {}),
  };
  return { grant, act };
}

const broadKinds = new Set<string>(['app-installation', 'app-repositories', 'personal-access-token']);
const mostWrites = 60;
function breadthOf(data: Attributes): Pick<GrantAct, 'writes' | 'expiresAt' | 'everywhere'> {
  const writes = Object.entries(data['tripline.grant.permissions'] ?? {})
    .filter(([, right]) => rankOf(right) >= writingRank)
    .map(([name]) => clip(name, 100))
    .sort()
    .slice(0, mostWrites);
  return {
    ...(writes.length === 0 ? {} : { writes }),
    ...optional('expiresAt', data['tripline.grant.expires_at']),
    ...(data['tripline.grant.repositories']?.includes('*') ? { everywhere: true } : {}),
  };
}

const nobody: Account = { login: 'somebody unnamed' };

function optional<K extends string>(name: K, value: string | undefined): { [P in K]?: string } {
  return (value === undefined || value === '' ? {} : { [name]: clip(value, 300) }) as { [P in K]?: string };
}

/** Whether the right is more than reading; undefined where the event does not say. */
export function isPrivilege(kind: string, data: Attributes, isChange: boolean): boolean | undefined {
  const permission = data['tripline.grant.permission'];
  const former = data['tripline.grant.permission_before'];
  switch (kind) {
    case 'org-invitation':
    case 'org-member':
      return permission === undefined || !isChange || isRaised(former, permission);
    case 'team-member':
      return true;
    case 'collaborator':
    case 'team-repository':
    case 'deploy-key':
      if (permission === undefined) return undefined;
      return isChange ? isRaised(former, permission) : rankOf(permission) >= writingRank;
    case 'team':
      // It has the rights of its parent team, and by default those with which it is created.
      return (
        data['tripline.grant.parent'] !== undefined || (permission !== undefined && rankOf(permission) >= writingRank)
      );
    case 'app-installation':
    case 'app-repositories':
    case 'personal-access-token': {
      const rights = Object.values(data['tripline.grant.permissions'] ?? {});
      return rights.length === 0
        ? kind === 'personal-access-token'
        : rights.some((right) => rankOf(right) >= writingRank);
    }
    default:
      return false;
  }
}

/** Adds one report to the acts, in order of their own times. Of too many by one person the first and the last stay. */
function withAct(
  known: readonly GrantAct[],
  act: GrantAct,
  at: Pick<LearnContext, 'nowMs' | 'pinned' | 'flooded'>,
): GrantAct[] {
  if (known.some(({ eventId }) => eventId === act.eventId)) return known as GrantAct[];
  const isRecent = ({ heardMs, eventId }: GrantAct) => heardMs > at.nowMs - lookedAtMs || at.pinned.has(eventId);
  const acts = [...known.filter(isRecent), act].sort(inOwnOrder);
  const groups = Map.groupBy(acts, ({ did, by }) => `${did} ${authorOf(by)}`);
  const dropped = new Set<GrantAct>();
  for (const group of groups.values()) {
    const middle = group.slice(
      mostActs.firstPerPerson,
      Math.max(mostActs.firstPerPerson, group.length - mostActs.lastPerPerson),
    );
    for (const one of middle) {
      if (at.pinned.has(one.eventId)) continue;
      dropped.add(one);
      // A right that is granted for each job is granted often within a week.
      if (Date.parse(group.at(-1)!.time) - Date.parse(one.time) < floodMs) at.flooded(one.did, authorOf(one.by));
    }
  }
  const kept = acts.filter((one) => !dropped.has(one));
  if (kept.length <= mostActs.ofAll) return kept;
  at.flooded(act.did, 'many');
  return kept.filter(({ eventId }, place) => place >= kept.length - mostActs.ofAll || at.pinned.has(eventId));
}

/** One act, merged from all its reports. */
export type Given = GrantAct & { occasion: string; tellings: readonly GrantAct[] };

/**
 * The acts that granted a privilege, in order of their own times, with all reports of one act merged: the right is the
 * strongest reported, and it is no privilege where every report with a right names a lesser one. `unsaid`: no report
 * says which right it is.
 */
export function privilegesOf(grant: Grant): (Given & { unsaid: boolean })[] {
  const given = grant.acts.filter(({ did }) => did === 'given' || did === 'changed');
  const byAct = Map.groupBy(given, ({ fact, eventId }) => fact ?? eventId);
  return [...byAct].flatMap(([occasion, tellings]) => {
    const said = tellings.filter(({ isPrivilege: is }) => is !== undefined);
    if (said.length > 0 && !said.some(({ isPrivilege: is }) => is)) return [];
    const first = tellings[0]!;
    const permission = tellings.map((one) => one.permission).reduce(strongerOf, undefined);
    const former = tellings.find((one) => one.former !== undefined)?.former;
    return [
      {
        ...first,
        ...optional('permission', permission),
        ...optional('former', former),
        occasion,
        tellings,
        unsaid: said.length === 0,
      },
    ];
  });
}

/** The lesser right that the holder had before, where it is known: from the act, or from the last grant before it. */
export function formerOf(grant: Grant, act: Given): string | undefined {
  if (act.former !== undefined) return act.former;
  const before = grant.acts.filter((one) => !act.tellings.includes(one) && inOwnOrder(one, act) < 0);
  const last = before.findLast(({ did }) => did === 'given' || did === 'changed' || did === 'removed');
  return last === undefined || last.did === 'removed' ? undefined : last.permission;
}

/** The removals of the grant from `sinceMs` on, in order. */
export function removalsSince(grant: Grant | undefined, sinceMs: number): GrantAct[] {
  return (grant?.acts ?? []).filter(({ did, time }) => did === 'removed' && Date.parse(time) >= sinceMs);
}
