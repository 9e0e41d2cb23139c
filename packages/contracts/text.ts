/** At most `limit` UTF-16 units of `value`, never half a surrogate pair, which neither a key nor Postgres can hold. */
export function clip(value: string, limit: number): string {
  if (value.length <= limit) return value;
  const last = value.charCodeAt(limit - 1);
  return value.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}
