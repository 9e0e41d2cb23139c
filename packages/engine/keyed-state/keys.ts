/** A row of keyed state, by its three names; `joined`: those as one string, where it is at hand. */
export type StateKey = { workspace: string; rule: string; key: string; joined?: string };

/** One string for a workspace, a rule and a name below it. NUL parts them, which no name may hold (`checkName`). */
export function joinKey(workspace: string, rule: string, name: string): string {
  return `${workspace}\0${rule}\0${name}`;
}

export function joinedKey({ workspace, rule, key, joined }: StateKey): string {
  return joined ?? joinKey(workspace, rule, key);
}

export function splitKey(joined: string): StateKey {
  const first = joined.indexOf('\0');
  const second = joined.indexOf('\0', first + 1);
  return {
    workspace: joined.slice(0, first),
    rule: joined.slice(first + 1, second),
    key: joined.slice(second + 1),
    joined,
  };
}

/** @throws {Error} when `name` is no text that Postgres keeps as it is. */
export function checkName(what: string, name: string): void {
  checkShape(what, name);
  if (!name.isWellFormed()) throw new Error(`${what} holds half a character`);
}

/**
 * A rule's own name as Postgres keeps it. A rule may cut what strangers wrote within a character: who chooses the name must
 * not choose whether the rule can judge, so what is left of that character is replaced.
 * @throws {Error} when it is too long or holds NUL.
 */
export function nameOfRule(what: string, name: string): string {
  checkShape(what, name);
  return name.isWellFormed() ? name : name.toWellFormed();
}

function checkShape(what: string, name: string): void {
  if (typeof name !== 'string' || name.length > 2048)
    throw new Error(`${what} must be text of at most 2048 characters`);
  if (name.includes('\0')) throw new Error(`${what} holds NUL`);
}
