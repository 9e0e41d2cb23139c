/** At most `limit` UTF-16 units of `value`, never half a surrogate pair, which neither a key nor Postgres can hold. */
export function clip(value: string, limit: number): string {
  if (value.length <= limit) return value;
  const last = value.charCodeAt(limit - 1);
  return value.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}

/**
 * A–Z alone, since whoever may run a workflow names an environment as they like: `toLowerCase` makes a k of the sign of Kelvin (U+212A), and
 * an environment that nobody protects would have the name of one that somebody does.
 */
export const inSmallLetters = (name: string): string => name.replace(/[A-Z]+/g, (some) => some.toLowerCase());
