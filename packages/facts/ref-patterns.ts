/**
 * Whether a pattern of a protection covers a ref, as GitHub's fnmatch with FNM_PATHNAME has it: `*` and `?` stop at `/`,
 * `**` followed by `/` stands for any folders or none, `[a-c]` and `[!a-c]` for one character. Rulesets also say `~ALL`
 * and `~DEFAULT_BRANCH`, and write refs whole (`refs/heads/main`).
 * https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches
 *
 * `defaultBranch`: undefined where it is not known; then `~DEFAULT_BRANCH` covers main and master.
 */
export function covers(
  pattern: string,
  ref: { type: 'branch' | 'tag'; name: string },
  defaultBranch?: string,
): boolean {
  if (pattern === '~ALL') return true;
  if (pattern === '~DEFAULT_BRANCH') {
    return (
      ref.type === 'branch' && (defaultBranch === undefined ? isUsualDefault(ref.name) : ref.name === defaultBranch)
    );
  }
  const space = pattern.startsWith('refs/heads/') ? 'branch' : pattern.startsWith('refs/tags/') ? 'tag' : undefined;
  if (space !== undefined && space !== ref.type) return false;
  return matches(space === undefined ? pattern : pattern.slice(space === 'branch' ? 11 : 10), ref.name);
}
const isUsualDefault = (name: string): boolean => name === 'main' || name === 'master';

/** In steps of the pattern's length times the name's, whatever either says: who pushes chooses the name. */
export function matches(pattern: string, name: string): boolean {
  let reached = new Set([0]);
  for (let at = 0; at < pattern.length && reached.size > 0; ) {
    const next = new Set<number>();
    if (pattern.startsWith('**/', at) && (at === 0 || pattern[at - 1] === '/')) {
      for (const from of reached) {
        next.add(from);
        for (let slash = name.indexOf('/', from); slash >= 0; slash = name.indexOf('/', slash + 1)) next.add(slash + 1);
      }
      at += 3;
    } else if (pattern[at] === '*') {
      while (pattern[at] === '*' && !(pattern.startsWith('**/', at) && pattern[at - 1] === '/')) at += 1;
      for (const from of reached) {
        for (let to = from; to <= name.length; to += 1) {
          next.add(to);
          if (name[to] === '/') break;
        }
      }
    } else {
      const { fits, width } = oneOf(pattern, at);
      for (const from of reached) if (from < name.length && fits(name[from]!)) next.add(from + 1);
      at += width;
    }
    reached = next;
  }
  return reached.has(name.length);
}

/** What one character of the name must be, and how much of the pattern says so. */
function oneOf(pattern: string, at: number): { fits: (char: string) => boolean; width: number } {
  const char = pattern[at]!;
  if (char === '?') return { fits: (one) => one !== '/', width: 1 };
  if (char === '\\' && at + 1 < pattern.length) return { fits: (one) => one === pattern[at + 1], width: 2 };
  const end = char === '[' ? pattern.indexOf(']', at + 2) : -1;
  if (end < 0) return { fits: (one) => one === char, width: 1 };
  const isNegated = pattern[at + 1] === '!' || pattern[at + 1] === '^';
  const set = pattern.slice(at + (isNegated ? 2 : 1), end);
  return { fits: (one) => one !== '/' && isIn(set, one) !== isNegated, width: end + 1 - at };
}

function isIn(set: string, char: string): boolean {
  for (let at = 0; at < set.length; at += 1) {
    const to = set[at + 1] === '-' ? set[at + 2] : undefined;
    if (to === undefined ? set[at] === char : set[at]! <= char && char <= to) return true;
    if (to !== undefined) at += 2;
  }
  return false;
}
