import type { LockFile } from './lock.ts';
import { type PeoplePolicy, rights, teamRoles } from './policy.ts';

/** What people may ask for, by the words of `tripline.grant.kind`: on a repository, in a team, or a role of an organisation. */
export const rightKinds = ['collaborator', 'team-member', 'org-role'] as const;
export type RightKind = (typeof rightKinds)[number];

/** Of a role there is no more and no less. */
export const heldRole = 'holder';
const wordsOf: Record<RightKind, readonly string[]> = {
  collaborator: rights,
  'team-member': teamRoles,
  'org-role': [heldRole],
};

/** The words of a kind's permissions, the least first. */
export const permissionsOf = (kind: RightKind): readonly string[] => wordsOf[kind];

/** How much a permission is among those of its kind; -1 where it is none of them, as `none` is. */
export const rankOfPermission = (kind: RightKind, permission: string): number => wordsOf[kind].indexOf(permission);

/** What a policy lets people ask for: on or of what, by name, and the most. */
export function reachOf({ repositories, permission, teams, as = 'member', roles }: PeoplePolicy): {
  kind: RightKind;
  names: readonly string[];
  most: string;
} {
  if (teams !== undefined) return { kind: 'team-member', names: teams, most: as };
  if (roles !== undefined) return { kind: 'org-role', names: roles, most: heldRole };
  return { kind: 'collaborator', names: repositories ?? [], most: permission ?? 'read' };
}

/** The id that a name of a kind means, and that of whose it is. */
export function pinOf(lock: LockFile, kind: RightKind, name: string): { id: string; owner: string } | undefined {
  return { collaborator: lock.github, 'team-member': lock.teams, 'org-role': lock.roles }[kind][name];
}

/** `maintain on acme/api`, `member of team acme/responders`, `role acme/security_manager`. */
export function nameRight(kind: RightKind, permission: string, names: string): string {
  if (kind === 'team-member') return `${permission} of team ${names}`;
  return kind === 'org-role' ? `role ${names}` : `${permission} on ${names}`;
}

/** After so long without an answer whoever is to have it may approve it alone, ms; null: never. A factor that can be phished is no second person. */
export const breakGlassOf = ({ phishingResistant, breakGlass }: PeoplePolicy): number | null =>
  phishingResistant ? (breakGlass ?? null) : null;

/** Whose duty a policy minds: of whoever asks, or of whoever approves it. */
export type DutyOf = NonNullable<PeoplePolicy['onDuty']>['of'][number];
/** By one of which schedules they must be on duty; absent where they need not. */
export const schedulesOf = ({ onDuty }: PeoplePolicy): Partial<Record<DutyOf, readonly string[]>> =>
  Object.fromEntries((onDuty?.of ?? []).map((one) => [one, onDuty!.schedules]));
