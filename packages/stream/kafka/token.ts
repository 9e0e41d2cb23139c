/** A bearer token, and when it ends, ms since the epoch; null when it does not say so. */
export type Token = { value: string; endsAtMs: number | null };

/** So long before its end, or after half its life, a token is given out no more: a login with it lasts no longer than it does. */
const marginMs = 30_000;

/**
 * Gives out one token until it is about to end, and then the next. Every connection to every broker asks for one, at once
 * after a restart: they share a request. One that does not say when it ends is asked for each time.
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
