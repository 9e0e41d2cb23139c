import type { LoggedEvent } from '@tripline/contracts/event';
import { defineRule, type Rule } from '@tripline/contracts/rule';
import { msBetween, parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { isAccount } from '../accounts.ts';
import { type Habit, habitSchema, habitSettings, habitsOf, type Known, knownSchema, type Usual } from './habits.ts';
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

/**
 * `beginning`: found while it is learned who does so habitually. `again`: all of it was taken so before, and nobody tells from
 * where.
 */
export type How = 'unusual' | 'beginning' | 'again';
/** A beginning is one a day; what goes on is one a month. */
const ofHabits = { beginning: 'each day', again: 'each month' } as const;

/** One sight of a value; with the habit that it may belong to, and with what it was done. */
const countedSchema = seenSchema.extend({
  value: namedSchema,
  habit: habitSchema.optional(),
  via: z.string().optional(),
});
export type Counted = Seen & { value: Named; habit?: Habit; via?: string };

/** The values that were seen first, and those that were seen last, at most so many of each as make a finding. */
const endsSchema = z.object({ first: z.array(countedSchema), last: z.array(countedSchema) });
type Ends = { first: readonly Counted[]; last: readonly Counted[] };
/** Of one stretch; apart from it, of those that are usual. */
type Stretch = Ends & { usual?: Ends };
const stretchSchema = endsSchema.extend({ usual: endsSchema.optional() });
const empty: Ends = { first: [], last: [] };

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
      /** With what it was done, such as a token. */
      via?: (event: LoggedEvent) => string | undefined;
      tell: Tell<Counted>;
      atLeast: (settings: SettingsOf<S>, by: Named) => number;
      withinMs: (settings: SettingsOf<S>) => number;
      /** How often one who goes on is found again; each hour unless told otherwise. */
      again?: (by: Named) => Again;
      /** What one takes so habitually is told of once, and then counted apart. Such a rule has the setting `learnMs`. */
      usual?: Usual;
      /** `values` by their names, and the sights of them by which it was decided; undefined where another rule says it. */
      found: (
        by: Named,
        values: readonly Named[],
        settings: SettingsOf<S>,
        sights: readonly Counted[],
        how: How,
      ) => Omit<BuiltFinding, 'because'> | undefined;
    },
): Rule<Stretch | Known, SettingsOf<S>> {
  const { by, value, tell, atLeast, withinMs, found, again = () => 'each hour' } = of;
  const habits = of.usual && habitsOf(of.usual);
  return defineRule<Stretch | Known, SettingsOf<S>>({
    ...common(of, { ...(of.usual && habitSettings), ...of.settings } as unknown as S),
    state: z.union([stretchSchema, knownSchema]) as unknown as z.ZodType<Stretch | Known>,
    keys(event, settings) {
      const who = by(event, settings);
      const what = value(event);
      if (who === undefined || what === undefined) return [];
      const stretch = Math.floor(parseTime(event.time) / withinMs(settings));
      const stretches = [stretch, stretch - 1, stretch + 1].map((number) => `${who.id} ${number}`);
      return habits === undefined ? stretches : [...stretches, ...habits.keys(event, what)];
    },
    judge(event, context) {
      const { settings, keys } = context;
      const windowMs = withinMs(settings);
      const who = by(event, settings)!;
      const least = atLeast(settings, who);
      const [here, before, after] = keys as [string, string, string];
      const what = value(event)!;
      const { habit, listenedMs = 0 } = habits?.look(event, what, context, windowMs) ?? {};
      const { learnMs = 0 } = settings as { learnMs?: number };
      const via = of.via?.(event);
      const sight: Counted = { ...seenBy(event), value: what, ...(habit && { habit }), ...(via && { via }) };
      const stretchOf = (key: string) => (context.get(key) as Stretch | undefined) ?? empty;
      const known = stretchOf(here);
      const stretch = withSight(known, sight, least);
      // Sights that cannot decide are not kept; of a habit each counts.
      if (stretch === known && habits === undefined) return;
      if (stretch !== known) context.set(here, stretch, lateMs + 2 * windowMs);
      const number = Math.floor(parseTime(event.time) / windowMs);
      const pairs = [
        [stretchOf(before), stretch, number],
        [stretch, stretchOf(after), number + 1],
      ] as const;
      for (const [earlier, later, at] of pairs) {
        const unusual = windowOf(earlier, later, least, windowMs);
        const all = habits && windowOf(allOf(earlier), allOf(later), least, windowMs);
        if (all !== undefined) habits!.learn([sight, ...all], event, context);
        const isUnsure = unusual === undefined && all?.some((one) => one.habit?.isUsual && one.habit.isUnsure);
        const because = isUnsure ? all : unusual;
        if (because === undefined) continue;
        const how = isUnsure ? 'again' : listenedMs < learnMs ? 'beginning' : 'unusual';
        const values = because.map((one) => one.value).sort((a, b) => (a.name < b.name ? -1 : 1));
        const form = formOf[how === 'unusual' ? again(who) : ofHabits[how]];
        const occasion = new Date(at * windowMs).toISOString().slice(0, form.length);
        const finding = found(who, values, settings, because, how);
        if (finding !== undefined) context.find(draftOf({ ...finding, occasion, because }, tell));
      }
    },
    ...(habits && { due: habits.due }),
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
  if (sight.habit?.isUsual === true) {
    const usual = withEnd(known.usual ?? empty, sight, least);
    return usual === known.usual ? known : { ...known, usual };
  }
  const ends = withEnd(known, sight, least);
  return ends === known ? known : { ...known, ...ends };
}

/** The same object where it is none of them. */
function withEnd(known: Ends, sight: Counted, least: number): Ends {
  const first = kept(known.first, sight, least, isBefore);
  const last = kept(known.last, sight, least, (a, b) => isBefore(b, a));
  return first === known.first && last === known.last ? known : { first, last };
}

/** With what is usual. */
function allOf({ first, last, usual }: Stretch): Ends {
  if (usual === undefined) return { first, last };
  const inOrder = (sights: readonly Counted[]) => sights.toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
  return { first: inOrder([...first, ...usual.first]), last: inOrder([...last, ...usual.last]).reverse() };
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
function windowOf(earlier: Ends, later: Ends, least: number, windowMs: number): Counted[] | undefined {
  for (const [place, end] of later.first.entries()) {
    const fromMs = parseTime(end.time) - windowMs;
    const inside = new Map<string, Counted>();
    for (const sight of earlier.last) if (parseTime(sight.time) > fromMs) inside.set(sight.value.id, sight);
    for (const sight of later.first.slice(0, place + 1)) inside.set(sight.value.id, sight);
    if (inside.size >= least) return [...inside.values()];
  }
  return undefined;
}
