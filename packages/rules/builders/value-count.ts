import type { LoggedEvent } from '@tripline/contracts/event';
import { defineRule, type Rule } from '@tripline/contracts/rule';
import { msBetween, parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { isAccount } from '../accounts.ts';
import { type Named, namedSchema, type Seen, seenBy, seenSchema } from './seen.ts';
import {
  type BuiltFinding,
  common,
  draftOf,
  type Meta,
  type Reading,
  type SettingsOf,
  type Shape,
  type Tell,
} from './verdict.ts';

const dayMs = 86_400_000;
/** How late an event may come. */
const lateMs = 3 * dayMs;

/** A finding of each is one, by the time in which its stretch began. */
const formOf = { 'each hour': 'YYYY-MM-DDTHH', 'each day': 'YYYY-MM-DD', 'each month': 'YYYY-MM' } as const;
type Again = keyof typeof formOf;

/** One sight of a value. */
const countedSchema = seenSchema.extend({ value: namedSchema });
export type Counted = Seen & { value: Named };

/** Of one stretch: the values that were seen first, and those that were seen last, at most so many of each as make a finding. */
const stateSchema = z.object({ first: z.array(countedSchema), last: z.array(countedSchema) });
type Stretch = { first: readonly Counted[]; last: readonly Counted[] };
const empty: Stretch = { first: [], last: [] };

/**
 * At least N different values within a time, by one counted subject: exact, and independent of the order of events.
 *
 * Time is cut in stretches as long as the window, so a window reaches two of them, and it can end where a value is seen
 * for the first time in its stretch. Of a stretch the `atLeast` values that were seen first decide as the later part of a
 * window, the `atLeast` seen last as the earlier part: more cannot matter, so noise pushes nothing out. More events only
 * ever add findings; the occasion is the hour in which the stretch began: what people said of the morning's says nothing of the
 * afternoon's. Of what goes on all day it can be the day, of what goes on each day the month.
 */
export function valueCount<S extends Shape>(
  of: Meta &
    Reading & {
      settings?: S;
      /** The counted subject; undefined skips the event. */
      by: (event: LoggedEvent, settings: SettingsOf<S>) => Named | undefined;
      /** What is counted. */
      value: (event: LoggedEvent) => Named | undefined;
      tell: Tell<Counted>;
      atLeast: (settings: SettingsOf<S>, by: Named) => number;
      withinMs: (settings: SettingsOf<S>) => number;
      /** How often one who goes on is found again; each hour unless told otherwise. */
      again?: (by: Named) => Again;
      /** `values` by their names, and the sights of them by which it was decided. */
      found: (
        by: Named,
        values: readonly Named[],
        settings: SettingsOf<S>,
        sights: readonly Counted[],
      ) => Omit<BuiltFinding, 'because'>;
    },
): Rule<Stretch, SettingsOf<S>> {
  const { by, value, tell, atLeast, withinMs, found, again = () => 'each hour' } = of;
  return defineRule<Stretch, SettingsOf<S>>({
    ...common(of, of.settings ?? ({} as S)),
    state: stateSchema as unknown as z.ZodType<Stretch>,
    keys(event, settings) {
      const who = by(event, settings);
      if (who === undefined || value(event) === undefined) return [];
      const stretch = Math.floor(parseTime(event.time) / withinMs(settings));
      return [stretch, stretch - 1, stretch + 1].map((number) => `${who.id} ${number}`);
    },
    judge(event, context) {
      const { settings, keys } = context;
      const windowMs = withinMs(settings);
      const who = by(event, settings)!;
      const least = atLeast(settings, who);
      const [here, before, after] = keys as [string, string, string];
      const known = context.get(here) ?? empty;
      const stretch = withSight(known, { ...seenBy(event), value: value(event)! }, least);
      // Sights that cannot decide are not kept.
      if (stretch === known) return;
      context.set(here, stretch, lateMs + 2 * windowMs);
      const number = Math.floor(parseTime(event.time) / windowMs);
      const pairs = [
        [context.get(before) ?? empty, stretch, number],
        [stretch, context.get(after) ?? empty, number + 1],
      ] as const;
      for (const [earlier, later, at] of pairs) {
        const because = windowOf(earlier, later, least, windowMs);
        if (because === undefined) continue;
        const values = because.map((one) => one.value).sort((a, b) => (a.name < b.name ? -1 : 1));
        const occasion = new Date(at * windowMs).toISOString().slice(0, formOf[again(who)].length);
        context.find(draftOf({ ...found(who, values, settings, because), occasion, because }, tell));
      }
    },
  });
}

/**
 * So many values of one who has a number of their own in `quotas`, by what their id is or by their account; else `usual`.
 * Nothing but what stands there: somebody may be called `constructor`.
 */
export function quotaOf(
  quotas: Readonly<Record<string, number>>,
  who: { id: string; login: string },
  usual: number,
): number {
  // Where no event told an id, it is the login.
  const id = who.id === who.login.toLowerCase() ? undefined : who.id;
  const entries = Object.keys(quotas);
  const own = entries.find((one) => one === id) ?? entries.find((one) => isAccount(one, { id, login: who.login }));
  return own === undefined ? usual : quotas[own]!;
}

/** The same object where the sight decides nothing. */
function withSight(known: Stretch, sight: Counted, least: number): Stretch {
  const first = kept(known.first, sight, least, isBefore);
  const last = kept(known.last, sight, least, (a, b) => isBefore(b, a));
  return first === known.first && last === known.last ? known : { first, last };
}

/** The `most` values whose best sight comes first by `isBetter`, each with that sight; the same list where nothing changes. */
function kept(
  known: readonly Counted[],
  sight: Counted,
  most: number,
  isBetter: (a: Counted, b: Counted) => boolean,
): readonly Counted[] {
  const former = known.find(({ value }) => value.id === sight.value.id);
  if (former !== undefined && !isBetter(sight, former)) return known;
  if (former === undefined && known.length >= most && !isBetter(sight, known.at(-1)!)) return known;
  const others = known.filter((one) => one !== former);
  const place = others.findIndex((one) => isBetter(sight, one));
  return others.toSpliced(place < 0 ? others.length : place, 0, sight).slice(0, most);
}

function isBefore(a: Counted, b: Counted): boolean {
  const apartMs = msBetween(b, a);
  return apartMs < 0 || (apartMs === 0 && a.eventId < b.eventId);
}

/** The sights in the earliest window that ends in `later` and holds enough values. */
function windowOf(earlier: Stretch, later: Stretch, least: number, windowMs: number): Counted[] | undefined {
  for (const [place, end] of later.first.entries()) {
    const fromMs = parseTime(end.time) - windowMs;
    const inside = new Map<string, Counted>();
    for (const sight of earlier.last) if (parseTime(sight.time) > fromMs) inside.set(sight.value.id, sight);
    for (const sight of later.first.slice(0, place + 1)) inside.set(sight.value.id, sight);
    if (inside.size >= least) return [...inside.values()];
  }
  return undefined;
}
