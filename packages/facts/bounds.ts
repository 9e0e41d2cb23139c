import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { LearnContext, Observed } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';

/** How many observations of one kind a fact keeps. An attacker decides how many there are, and mostly by whom. */
export type Bound<T> = {
  /** What is bounded: `pushes`, `reviews`. Named in the finding `state-flooded`. */
  kind: string;
  /** The author: an account's id where the event has one. One author's observations never displace another's. */
  authorOf: (observation: T) => string;
  mostPerAuthor: number;
  /** Limit of all authors together, since accounts are free. */
  most: number;
  /** What distinguishes two observations of one event; by default, one per event. */
  nameOf?: (observation: T) => string;
  /**
   * Only the latest matter, such as for a branch's head: dropping the others loses nothing, and is not reported.
   * `each`: of those by one author; `all`: of all authors together, too.
   */
  rolls?: 'each' | 'all';
  /** The earliest stay instead of the latest: what is first is what was meant, and others only imitate it. */
  first?: true;
  /** What stays however much comes after it, and takes the place of nothing else, as what is pinned does. */
  stays?: (observation: T) => boolean;
};

/**
 * Observations this much older than the author's latest were processed long ago: dropping them is ageing, not a flood,
 * ms.
 */
export const floodMs = 6 * 3_600_000;

/** In place of the author, where many authors together reached the bound. */
export const manyAuthors = 'many';

/**
 * The observations in order of their own times with `added` among them; the same list where it adds nothing. Of too many
 * the latest stay (or the first, as the bound says), and those that are pinned: a set and its bounds have one outcome, whatever the order of arrival. What is
 * dropped is said by `flooded`, unless it has aged: a year of ordinary work is no flood.
 */
export function keepBounded<T extends Observed>(
  known: readonly T[],
  added: T,
  bound: Bound<T>,
  at: Pick<LearnContext, 'pinned' | 'flooded'>,
): readonly T[] {
  const nameOf = bound.nameOf ?? (() => '');
  const name = nameOf(added);
  if (known.some((other) => other.eventId === added.eventId && nameOf(other) === name)) return known;
  const sorted = [...known, added];
  const last = known.at(-1);
  // Most of what is received is the latest.
  if (last !== undefined && !(inOwnOrder(last, added) < 0))
    sorted.sort((a, b) => inOwnOrder(a, b) || compare(nameOf(a), nameOf(b)));
  // So few cannot reach a bound.
  if (sorted.length <= bound.mostPerAuthor && sorted.length <= bound.most) return sorted;
  const counts = new Map<string, number>();
  let total = 0;
  const kept: T[] = [];
  const inTurn = bound.first ? sorted : sorted.reverse();
  for (const observation of inTurn) {
    if (isPinned(observation, at.pinned) || bound.stays?.(observation) === true) {
      kept.push(observation);
      continue;
    }
    const author = bound.authorOf(observation);
    const count = counts.get(author) ?? 0;
    if (count >= bound.mostPerAuthor) {
      const isMine = (other: T) => bound.authorOf(other) === author;
      const latest = bound.first ? kept.findLast(isMine)! : kept.find(isMine)!;
      const isAged = Math.abs(parseTime(latest.time) - parseTime(observation.time)) >= floodMs;
      if (bound.rolls === undefined && !isAged) at.flooded(bound.kind, author);
    } else if (total >= bound.most) {
      if (bound.rolls !== 'all') at.flooded(bound.kind, manyAuthors);
    } else {
      counts.set(author, count + 1);
      total += 1;
      kept.push(observation);
    }
  }
  const isAsKnown = kept.length === known.length && !kept.includes(added);
  if (isAsKnown) return known;
  return bound.first ? kept : kept.reverse();
}

/** Observations that this one replaced, as far as standing findings rest on them. */
export type Replacing = { replaced?: { eventId: string }[] | undefined };

/**
 * Replaces `former` by `told`: of several events that report the same, a value keeps one. Where a standing finding
 * rests on the replaced one, its event stays named, otherwise the finding would be frozen and could not be retracted by
 * later evidence.
 */
export function inPlaceOf<T extends Observed>(
  former: (Pick<Observed, 'eventId'> & Replacing) | undefined,
  told: T & Replacing,
  pinned: ReadonlySet<string>,
): T & Replacing {
  if (former === undefined || pinned.size === 0) return told;
  const replaced = [{ eventId: former.eventId }, ...(former.replaced ?? [])].filter(
    ({ eventId }) => pinned.has(eventId) && eventId !== told.eventId,
  );
  return replaced.length === 0 ? told : { ...told, replaced };
}

const isPinned = ({ eventId, replaced }: Observed & Replacing, pinned: ReadonlySet<string>): boolean =>
  pinned.has(eventId) || replaced?.some((one) => pinned.has(one.eventId)) === true;

/** The order of observations: by the provider's time, then by id. */
export function inOwnOrder(a: Pick<Observed, 'time' | 'eventId'>, b: Pick<Observed, 'time' | 'eventId'>): number {
  return (a.time === b.time ? 0 : parseTime(a.time) - parseTime(b.time)) || compare(a.eventId, b.eventId);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** By which event something was observed, for a fact's value. `url` defaults to the job, run or repository that the event names. */
export function observedBy(event: LoggedEvent, url?: string): Observed {
  const data: Attributes = event.data;
  const link =
    url ??
    data['cicd.pipeline.task.run.url.full'] ??
    data['cicd.pipeline.run.url.full'] ??
    data['vcs.repository.url.full'];
  const { id: eventId, type: eventType, time, trust, fact } = event;
  // Without spreads: it is created for nearly every event.
  const observed: Observed =
    link === undefined
      ? { eventId, eventType, time, trust }
      : { eventId, eventType, time, trust, url: clip(link, 500) };
  if (fact !== undefined) observed.fact = fact;
  return observed;
}
