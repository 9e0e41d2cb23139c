import type { Version } from './diff.ts';
import { type PeoplePolicy, type RepositoryRight, rights } from './policy.ts';

/** What somebody asks for. `grantee`: the login that is to have it. */
export type PersonAsks = { grantee: string; repository: string; permission: RepositoryRight; forMs: number };

/** By ids that the lock file pins. `approvers`: never who is to have it; none are needed where `isFast`. */
export type PersonAllowed = {
  policy: string;
  grantee: { id: string; name: string };
  repository: { id: string; name: string };
  approvers: readonly { id: string; name: string }[];
  phishingResistant: boolean;
  isFast: boolean;
};

/** Whether policies let a person ask for a right, and who may approve it; else everything that speaks against it. */
export function decidePerson(asks: PersonAsks, { file, lock }: Version): PersonAllowed | { why: string[] } {
  const why: string[] = [];
  const allowed: PersonAllowed[] = [];
  for (const [name, right] of Object.entries(file.people)) {
    const one = decideBy(name, right, asks, lock);
    if ('policy' in one) allowed.push(one);
    else why.push(`people.${name}: ${one.why.join('; ')}`);
  }
  // What needs nobody's word first, since no more is given by it.
  const [best] = allowed.toSorted((a, b) => Number(b.isFast) - Number(a.isFast));
  if (best !== undefined) return best;
  return { why: why.length > 0 ? why : ['the policies in force have no `people`: nobody may ask for anything'] };
}

function decideBy(
  name: string,
  right: PeoplePolicy,
  { grantee, repository, permission, forMs }: PersonAsks,
  lock: Version['lock'],
): PersonAllowed | { why: string[] } {
  const login = right.who.find((one) => isSame(one, grantee));
  const place = right.repositories.find((one) => isSame(one, repository));
  const person = login === undefined ? undefined : lock.people[login];
  const pin = place === undefined ? undefined : lock.github[place];
  const approvers = right.approvedBy.flatMap((one) => {
    const id = lock.people[one]?.id;
    return id === undefined || id === person?.id ? [] : [{ id, name: one }];
  });
  const isFast = right.fast === true && permission === 'read';
  const why = [
    ...(login === undefined ? [`${grantee} is none of who`] : []),
    ...(login !== undefined && person === undefined ? [`${login} is not pinned in the lock file`] : []),
    ...(place === undefined ? [`${repository} is none of its repositories`] : []),
    ...(place !== undefined && pin === undefined ? [`${place} is not pinned in the lock file`] : []),
    ...(rights.indexOf(permission) > rights.indexOf(right.permission)
      ? [`${permission} is more than ${right.permission}`]
      : []),
    ...(forMs > right.for ? [`${forMs / 60_000} min is longer than ${right.for / 60_000} min`] : []),
    ...(approvers.length === 0 && !isFast ? ['nobody else may approve it'] : []),
  ];
  if (why.length > 0) return { why };
  return {
    ...{ policy: name, grantee: { id: person!.id, name: login! }, repository: { id: pin!.id, name: place! } },
    ...{ approvers, phishingResistant: right.phishingResistant, isFast },
  };
}

/** GitHub's names are the same in any case. */
const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
