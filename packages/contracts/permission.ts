/**
 * Rights by the providers' words. What is not among them is a role of an organisation's own, which may hold anything: it
 * ranks above all that are. A map, since a role may be called `constructor`.
 */
const ranks = new Map([
  ['none', 0],
  ['read', 1],
  ['pull', 1],
  ['triage', 2],
  ['write', 3],
  ['push', 3],
  ['member', 3],
  ['direct_member', 3],
  ['maintain', 4],
  ['admin', 5],
  ['owner', 5],
]);
const unknownRank = 6;

export function isNamedRole(permission: string): boolean {
  return ranks.has(permission.toLowerCase());
}

/** How strong a right is; from `writingRank` on, more than reading. */
export function rankOf(permission: string): number {
  return ranks.get(permission.toLowerCase()) ?? unknownRank;
}

/** The least right with which something can be changed. */
export const writingRank = 3;

/** The stronger of two rights; of equal ones the first. Undefined is none that was told. */
export function strongerOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return rankOf(b) > rankOf(a) ? b : a;
}

/**
 * Whether a change of a right gave more than there was. A role of one's own may hold anything: from one to another, or
 * from one to a named role, counts as more, unless what is left only reads.
 */
export function isRaised(before: string | undefined, after: string): boolean {
  if (rankOf(after) < writingRank) return false;
  if (before === undefined) return true;
  if (before.toLowerCase() === after.toLowerCase()) return false;
  return !isNamedRole(before) || rankOf(after) > rankOf(before);
}
