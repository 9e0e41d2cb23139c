/** The last names that were added: `limit` of them, and up to as many from before. */
export type Recent = { has: (name: string) => boolean; add: (name: string) => void };

/** Two generations, since forgetting one name at a time would search a set's removed entries for its oldest. */
export function createRecent(limit: number): Recent {
  let recent = new Set<string>();
  let former = new Set<string>();
  return {
    has: (name) => recent.has(name) || former.has(name),
    add(name) {
      recent.add(name);
      if (recent.size < limit) return;
      former = recent;
      recent = new Set();
    },
  };
}
