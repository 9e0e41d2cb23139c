/**
 * Ids that rules had, and those of the rules that took their place. Findings keep the id by which they were found; settings that
 * name a former one are refused with those to name instead, since nobody can tell which of them was meant.
 */
export const retired: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'leak-or-exposure': ['secret-leaked', 'repository-exposed'],
};

/** Says that there is no rule of an id, and what to name instead. */
export function noRule(id: string): string {
  const now = Object.hasOwn(retired, id) ? retired[id] : undefined;
  return now === undefined
    ? `there is no rule ${id}; \`tripline rules\` lists them`
    : `there is no rule ${id} any more; name ${now.join(' or ')}, or both`;
}
