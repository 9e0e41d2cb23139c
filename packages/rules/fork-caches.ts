import { msBetween, parseTime } from '@tripline/contracts/time';
import type { ForkRun } from '@tripline/facts/fork-runs';
import { acceptanceOfForkRun, noHouse, type Place, type placeOf, reviewReader } from '@tripline/facts/review-reader';
import type { Attempt } from '@tripline/facts/runs';

/** A provider keeps a cache that nobody reads for so long, and one that is read for longer. */
const cachedMs = 7 * 86_400_000;

/** Runs whose caches an attempt of a run may have restored. */
export const cachedBefore = ({ time }: Attempt, of: readonly ForkRun[]) =>
  of.filter((one) => msBetween(one, { time }) > 0 && msBetween(one, { time }) <= cachedMs);

/** The head was approved, or whoever set the run off could write. */
export function isInOrder(
  { actor, revision, time }: ForkRun,
  place: Place,
  reads: Parameters<typeof placeOf>[3],
): boolean {
  const reader = reviewReader(place, undefined, reads, noHouse, parseTime(time));
  if (actor !== undefined && reader.couldWrite(actor, parseTime(time))) return true;
  return acceptanceOfForkRun(revision, place, reader, { lookUp: () => {} }).is === 'reviewed';
}
