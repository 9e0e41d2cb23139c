const hourMs = 3_600_000;
const weekHours = 168;
/** So many weeks are compared, of which one may have been a holiday. */
const weeksCompared = 4;
/** Fewer say nothing of what is usual. */
const weeksNeeded = 3;
/** So many events would usually have come by now: at a tenth of that, chance alone leaves none. */
const usualEvents = 20;
/** Clocks are changed by an hour twice a year, and not everywhere at once. */
const quietHours = 2;

/** Hours since the epoch, each with how many events came. */
export type HourCounts = Readonly<Record<string, number>>;

export const hourOf = (ms: number): number => Math.floor(ms / hourMs);
/** Counts of so many hours are kept. */
export const hoursKept = (weeksCompared + 1) * weekHours;

/**
 * Since when, ms since the epoch, a feed tells nothing at all though in the same hours of each of the weeks before it told much;
 * undefined where that is not so, or not known yet. Nights and weekends are as quiet as they were before.
 */
export function silentSinceMs(
  counts: HourCounts,
  { begunMs, lastMs, nowMs }: { begunMs: number; lastMs: number; nowMs: number },
): number | undefined {
  const [from, until] = [hourOf(lastMs) + 1, hourOf(nowMs)];
  if (until - from < quietHours) return undefined;
  const sums: number[] = [];
  // What is longer than a week repeats itself.
  const hours = Math.min(until - from, weekHours);
  for (let week = 1; week <= weeksCompared; week += 1) {
    const start = until - hours - week * weekHours;
    if (start < hourOf(begunMs)) break;
    let sum = 0;
    for (let hour = start; hour < start + hours; hour += 1) sum += counts[hour] ?? 0;
    sums.push(sum);
  }
  if (sums.length < weeksNeeded) return undefined;
  // One week may have been another.
  const [lowest = 0, next = 0] = sums.sort((a, b) => a - b);
  const usual = sums.length === weeksCompared ? next : lowest;
  return usual >= usualEvents ? lastMs : undefined;
}
