import type { LoggedEvent } from '@tripline/contracts/event';
/**
 * What is kept under a fact's key: its value, and the rules' subjects that depend on it. One row, so that a thing costs
 * one key however many rules use it.
 */
export type FactRow = {
  value?: unknown;
  /** In order of rule and subject. */
  concerns?: readonly Concern[];
  /** Bounds of the value that were reached: kind and author. */
  flooded?: readonly (readonly [kind: string, author: string])[];
};

/** One subject of a rule that watches the value, or whose standing finding rests on it. */
export type Concern = {
  rule: string;
  subject: string;
  /** The author of the event that made it watch, and since when, ms of the log's time; absent for the first. */
  by?: string;
  sinceMs?: number;
  watches?: true;
  /** Ids of events on which its findings rest. */
  pins?: readonly string[];
};

/** Most subjects that watch one value, by one author and in all: a push to a large repository starts dozens of runs. */
const mostWatching = 200;
const mostWatchingPerAuthor = 100;
/**
 * Most pinned events, of one subject and of all; a finding that rests on more is frozen when one of the others is
 * dropped.
 */
const mostPinned = 500;
const mostPinnedPerSubject = 100;
const mostFlooded = 50;
const nothingPinned: ReadonlySet<string> = new Set();
const nothing: readonly string[] = [];

/** Ids of events on which standing findings rest. */
export function pinnedBy(row: FactRow | undefined): ReadonlySet<string> {
  if (row?.concerns === undefined) return nothingPinned;
  const pins = row.concerns.flatMap((concern) => concern.pins ?? []);
  return pins.length === 0 ? nothingPinned : new Set(pins);
}

/** The row with another value, or without one where that is undefined. */
export function withValue(row: FactRow | undefined, value: unknown): FactRow {
  // Nearly every row holds a value alone.
  if (row === undefined || (row.concerns === undefined && row.flooded === undefined))
    return value === undefined ? {} : { value };
  const { value: _, ...rest } = row;
  return value === undefined ? rest : { ...rest, value };
}
export const isEmpty = ({ value, concerns, flooded }: FactRow): boolean =>
  value === undefined && concerns === undefined && flooded === undefined;

/** Subjects of `rule` that watch, in order of name. */
export function watchersOf(row: FactRow | undefined, rule: string): readonly string[] {
  const found: string[] = [];
  for (const other of row?.concerns ?? []) if (other.rule === rule && other.watches) found.push(other.subject);
  return found;
}

/**
 * Updates one subject's entry in the row; returns the same row where nothing changes. Of too many watchers, the
 * longest-watching one without standing findings is dropped: late events concern recent things. `full`: all present
 * watchers have standing findings, so this one is not added.
 */
export function withConcern(
  row: FactRow,
  of: { rule: string; subject: string; by: string; nowMs: number },
  wants: { watches: boolean; pins: readonly string[] },
): { row: FactRow; full: boolean } {
  if (row.concerns === undefined && wants.pins.length === 0) {
    if (!wants.watches) return { row, full: false };
    const { rule, subject, by } = of;
    // Without a time: whoever is first watched longest.
    const concern: Concern = by === '' ? { rule, subject, watches: true } : { rule, subject, watches: true, by };
    return { row: { ...row, concerns: [concern] }, full: false };
  }
  const concerns = row.concerns ?? [];
  const place = concerns.findIndex(({ rule, subject }) => rule === of.rule && subject === of.subject);
  const before = place < 0 ? undefined : concerns[place];
  let others = place < 0 ? concerns : concerns.toSpliced(place, 1);
  let full = false;
  if (wants.watches && before?.watches === undefined) {
    const watching = others.filter((other) => other.watches);
    const mine = watching.filter(({ by }) => (by ?? '') === of.by);
    const crowd = mine.length >= mostWatchingPerAuthor ? mine : watching.length >= mostWatching ? watching : undefined;
    const leaving = crowd && longestOf(crowd);
    full = crowd !== undefined && leaving === undefined;
    if (leaving !== undefined) others = others.filter((other) => other !== leaving);
  }
  const watches = wants.watches && !full;
  // Nearly all that watch pin nothing.
  const pins = wants.pins.length === 0 ? nothing : pinsOf(others, before, wants.pins);
  const isSame =
    (before?.watches === true) === watches &&
    pins.length === (before?.pins?.length ?? 0) &&
    pins.every((pin, at) => before?.pins?.[at] === pin);
  if (isSame) return { row, full };
  const { concerns: _, ...rest } = row;
  const by = before?.by ?? of.by;
  const next: Concern = {
    ...{ rule: of.rule, subject: of.subject },
    ...(watches ? { watches, sinceMs: before?.sinceMs ?? of.nowMs, ...(by === '' ? {} : { by }) } : {}),
    ...(pins.length > 0 ? { pins } : {}),
  };
  const kept = watches || pins.length > 0 ? inserted(others, next) : others;
  return { row: kept.length > 0 ? { ...rest, concerns: kept } : rest, full };
}

/** As much as one subject may pin beside what others do; what it pinned before comes first. */
function pinsOf(others: readonly Concern[], before: Concern | undefined, wanted: readonly string[]): readonly string[] {
  const free = mostPinned - others.reduce((sum, other) => sum + (other.pins?.length ?? 0), 0);
  const former = before?.pins?.filter((pin) => wanted.includes(pin)) ?? [];
  return [...new Set([...former, ...wanted])].slice(0, Math.max(0, Math.min(free, mostPinnedPerSubject))).sort();
}

/** A list in order with one more in its place. */
function inserted(others: readonly Concern[], next: Concern): readonly Concern[] {
  let [from, to] = [0, others.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (inOrder(others[middle]!, next) < 0) from = middle + 1;
    else to = middle;
  }
  return others.toSpliced(from, 0, next);
}

/** The longest-watching subject without standing findings. */
function longestOf(watching: readonly Concern[]): Concern | undefined {
  let longest: Concern | undefined;
  for (const one of watching) {
    if (one.pins === undefined && (longest === undefined || (one.sinceMs ?? 0) < (longest.sinceMs ?? 0))) longest = one;
  }
  return longest;
}

/**
 * Marks in the row that a bound of its value was reached. The same row where that is marked already, or the marks are
 * full.
 */
export function withFlood(row: FactRow, kind: string, author: string): FactRow {
  const flooded = row.flooded ?? [];
  const isKnown = flooded.some(([one, other]) => one === kind && other === author);
  if (isKnown || flooded.length >= mostFlooded) return row;
  return { ...row, flooded: [...flooded, [kind, author] as const].sort(byText) };
}

/** Adds to `found` the id of each event by which something in a fact's value was observed. */
export function addObserved(value: unknown, found: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value) && 'eventId' in value && typeof value.eventId === 'string') found.add(value.eventId);
  for (const part of Array.isArray(value) ? value : Object.values(value)) addObserved(part, found);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const inOrder = (a: Concern, b: Concern) => compare(a.rule, b.rule) || compare(a.subject, b.subject);
const byText = (a: readonly [string, string], b: readonly [string, string]) =>
  compare(a[0], b[0]) || compare(a[1], b[1]);

/** The author of an event, for bounds. */
export function authorOf(event: LoggedEvent | null): string {
  const data = event?.data;
  if (data === undefined) return '';
  return `${data['user.id'] ?? data['user.name'] ?? ''}`;
}
