import type { Version } from './diff.ts';
import {
  breakGlassOf,
  type DutyOf,
  pinOf,
  type RightKind,
  rankOfPermission,
  reachOf,
  schedulesOf,
} from './people-rights.ts';
import type { PeoplePolicy } from './policy.ts';

/** What somebody asks for. `grantee`: the login that is to have it; `target`: on or of what, by name. */
export type PersonAsks = { grantee: string; kind: RightKind; target: string; permission: string; forMs: number };

/** By ids that the lock file pins. `approvers`: never who is to have it; none are needed where `isFast`. */
export type PersonAllowed = {
  policy: string;
  grantee: { id: string; name: string };
  /** `ownerId`: the id of the organisation whose it is. */
  target: { id: string; name: string; ownerId: string };
  approvers: readonly { id: string; name: string }[];
  phishingResistant: boolean;
  isFast: boolean;
  /** After so long without an answer whoever is to have it may approve it alone, in ms; null: never. */
  breakGlassAfterMs: number | null;
  /** Schedules by one of which they must be on duty; absent where they need not. */
  schedules: Partial<Record<DutyOf, readonly string[]>>;
};

/**
 * Whether policies let a person ask for a right, and who may approve it; else everything that speaks against it. `against`: what is known
 * elsewhere to speak against a policy, by its name, such as that whoever asks is not on duty.
 */
export function decidePerson(
  asks: PersonAsks,
  { file, lock }: Version,
  against: ReadonlyMap<string, string> = new Map(),
): PersonAllowed | { why: string[] } {
  const why: string[] = [];
  const allowed: PersonAllowed[] = [];
  for (const [name, right] of Object.entries(file.people)) {
    const one = decideBy(name, right, asks, lock);
    const fault = against.get(name);
    if ('policy' in one && fault === undefined) allowed.push(one);
    else if ('policy' in one) why.push(`people.${name}: ${fault}`);
    else why.push(`people.${name}: ${one.why.join('; ')}`);
  }
  // What needs nobody's word first, since no more is given by it.
  const [best] = allowed.toSorted((a, b) => Number(b.isFast) - Number(a.isFast));
  if (best !== undefined) return best;
  return { why: why.length > 0 ? why : ['the policies in force have no `people`: nobody may ask for anything'] };
}

/**
 * Whether policies still allow what somebody has: they, this right, for so long (ms), by the word of `approvedBy` (an account's id; null where nobody's was
 * needed). @returns everything that speaks against it by now, or undefined.
 */
export function reasonsToEnd(asks: PersonAsks, approvedBy: string | null, { file, lock }: Version): string | undefined {
  const why = Object.entries(file.people).flatMap(([name, right]) => {
    const one = decideBy(name, right, asks, lock);
    if ('why' in one) return [`people.${name}: ${one.why.join('; ')}`];
    const isAlone = one.breakGlassAfterMs !== null && one.grantee.id === approvedBy;
    const isApproved = one.isFast || isAlone || one.approvers.some(({ id }) => id === approvedBy);
    return isApproved ? [] : [`people.${name}: whoever approved it may not any more`];
  });
  if (why.length < Object.keys(file.people).length) return undefined;
  return why.join('. ') || 'the policies in force have no `people`';
}

function decideBy(
  name: string,
  right: PeoplePolicy,
  { grantee, kind, target, permission, forMs }: PersonAsks,
  lock: Version['lock'],
): PersonAllowed | { why: string[] } {
  const reach = reachOf(right);
  const login = right.who.find((one) => isSame(one, grantee));
  const place = reach.kind === kind ? reach.names.find((one) => isSame(one, target)) : undefined;
  const person = login === undefined ? undefined : lock.people[login];
  const pin = place === undefined ? undefined : pinOf(lock, kind, place);
  const approvers = right.approvedBy.flatMap((one) => {
    const id = lock.people[one]?.id;
    return id === undefined || id === person?.id ? [] : [{ id, name: one }];
  });
  const isFast = right.fast === true && permission === 'read';
  const rank = rankOfPermission(kind, permission);
  const why = [
    ...(login === undefined ? [`${grantee} is none of who`] : []),
    ...(login !== undefined && person === undefined ? [`${login} is not pinned in the lock file`] : []),
    ...(place === undefined ? [`${target} is none of its ${things[kind]}`] : []),
    ...(place !== undefined && pin === undefined ? [`${place} is not pinned in the lock file`] : []),
    ...(rank < 0 ? [`${permission} is nothing that is given`] : []),
    ...(reach.kind === kind && rank > rankOfPermission(kind, reach.most)
      ? [`${permission} is more than ${reach.most}`]
      : []),
    ...(forMs > right.for ? [`${forMs / 60_000} min is longer than ${right.for / 60_000} min`] : []),
    ...(approvers.length === 0 && !isFast ? ['nobody else may approve it'] : []),
  ];
  if (why.length > 0) return { why };
  return {
    ...{ policy: name, grantee: { id: person!.id, name: login! } },
    target: { id: pin!.id, name: place!, ownerId: pin!.owner },
    ...{ approvers, phishingResistant: right.phishingResistant, isFast },
    breakGlassAfterMs: isFast ? null : breakGlassOf(right),
    schedules: schedulesOf(right),
  };
}
const things: Record<RightKind, string> = { collaborator: 'repositories', 'team-member': 'teams', 'org-role': 'roles' };

/** GitHub's names are the same in any case. */
const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
