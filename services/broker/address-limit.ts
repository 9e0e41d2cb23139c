import { isIPv6 } from 'node:net';

/** Requests of one: a second in the long run, and at once. */
export type Rate = { perSecond: number; burst: number };
/** So many are remembered at most: beyond it those that were quiet for longest start anew. */
const remembered = 50_000;

export type RateLimit = {
  /** Whether `key` may ask now; else in how many seconds it may ask again. */
  take: (key: string) => { ok: true } | { ok: false; retryAfterS: number };
};

/** How often one may ask, whoever that is: one bucket a key. */
export function createRateLimit({ perSecond, burst }: Rate, nowMs: () => number): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take(key) {
      const atMs = nowMs();
      const former = buckets.get(key);
      // A clock that is put back takes nothing away from those who asked before.
      const sinceMs = former === undefined ? 0 : Math.max(0, atMs - former.atMs);
      const tokens = former === undefined ? burst : Math.min(burst, former.tokens + (sinceMs * perSecond) / 1000);
      const isAllowed = tokens >= 1;
      // Inserted again at the end: the first are those that were quiet for longest.
      buckets.delete(key);
      buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs });
      if (buckets.size > remembered) buckets.delete(buckets.keys().next().value!);
      return isAllowed ? { ok: true } : { ok: false, retryAfterS: Math.max(1, Math.ceil((1 - tokens) / perSecond)) };
    },
  };
}

/**
 * How often one address may ask, before anything of what it sends is read, a network of /64 being one. Many jobs may share an address
 * (NAT), so an address may ask for some hundred at once. Those of whom it is not known from where they ask share one bucket.
 */
export function createAddressLimit(
  rate: Rate,
  nowMs: () => number,
): { take: (address: string | undefined) => ReturnType<RateLimit['take']> } {
  const limit = createRateLimit(rate, nowMs);
  return { take: (address) => limit.take(address === undefined ? 'unknown' : networkOf(address)) };
}

/** Whoever has one IPv6 address has the 64 bits behind it. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::', 2);
  const parts = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - parts.length - rest.length);
  return [...parts, ...Array.from({ length: zeros }, () => '0'), ...rest].slice(0, 4).join(':');
}
