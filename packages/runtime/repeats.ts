/** So long a text that was said is not said again, in ms. */
const quietMs = 60_000;
/** So many texts are known at once; beyond, the one that was said first is forgotten. */
const mostTexts = 1000;

/**
 * Whether something that is said again and again is to be said now: the first time, and then once a minute with how often it
 * was meanwhile. A database that is away fails every part each second, and buries what else is logged.
 */
export function createRepeats(nowMs: () => number): (text: string) => { isDue: boolean; repeated: number } {
  const known = new Map<string, { saidMs: number; repeated: number }>();
  return (text) => {
    const before = known.get(text);
    const atMs = nowMs();
    if (before !== undefined && atMs - before.saidMs < quietMs) {
      before.repeated += 1;
      return { isDue: false, repeated: before.repeated };
    }
    known.delete(text);
    known.set(text, { saidMs: atMs, repeated: 0 });
    if (known.size > mostTexts) known.delete(known.keys().next().value!);
    return { isDue: true, repeated: before?.repeated ?? 0 };
  };
}
