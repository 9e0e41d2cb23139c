/** A bearer token, and when it expires, ms since the epoch; null when that is unknown. */
export type Token = { value: string; endsAtMs: number | null };

/**
 * A token is not returned any more this long before it expires, or after half its lifetime: a session lasts no longer
 * than its token.
 */
const marginMs = 30_000;

/**
 * Caches a token until shortly before it expires. Every connection to every broker needs one, simultaneously after a
 * restart: they share a request. A token of unknown expiry is requested each time.
 */
export function keepToken(request: () => Promise<Token>, nowMs: () => number = Date.now): () => Promise<string> {
  let kept: { value: string; untilMs: number } | undefined;
  let asked: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const askedAtMs = nowMs();
    const { value, endsAtMs } = await request();
    const lifeMs = endsAtMs === null ? 0 : endsAtMs - askedAtMs;
    kept = { value, untilMs: askedAtMs + lifeMs - Math.min(marginMs, lifeMs / 2) };
    return value;
  }
  return () => {
    if (kept !== undefined && nowMs() < kept.untilMs) return Promise.resolve(kept.value);
    asked ??= renew().finally(() => {
      asked = undefined;
    });
    return asked;
  };
}
