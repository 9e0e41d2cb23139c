import type { LearnContext, Observed } from '@tripline/contracts/fact';
import { parseTime } from '@tripline/contracts/time';
import { type Bound, inPlaceOf, keepBounded } from './bounds.ts';

/**
 * Adds `told` to the observations, unless an earlier event reported the same: of several events that report the same,
 * the one with the earliest time is kept, whatever the order of arrival. Of two with the same time, the one received
 * first counts, so that a repeated delivery makes nothing unproven.
 */
export function keepEarliest<T extends Observed>(
  known: readonly T[],
  told: T,
  isSame: (other: T) => boolean,
  bound: Bound<T>,
  at: Pick<LearnContext, 'pinned' | 'flooded'>,
): readonly T[] {
  const place = known.findIndex(isSame);
  const before = known[place];
  if (before !== undefined && !isEarlier(told, before)) return known;
  if (before === undefined) return keepBounded(known, told, bound, at);
  return keepBounded(known.toSpliced(place, 1), inPlaceOf(before, told, at.pinned), bound, at);
}

/** Whether `told` is of an earlier time than what is known. */
export function isEarlier(told: Pick<Observed, 'time'>, known: Pick<Observed, 'time'> | undefined): boolean {
  return known === undefined || parseTime(told.time) < parseTime(known.time);
}
