import type { LoggedEvent } from '@tripline/contracts/event';
import type { RuleContext, Timer } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import type { Named } from './seen.ts';

/**
 * Whose habit a sight may belong to, such as an account in a network. `isUsual`: the value is one of that habit.
 * `isUnsure`: nobody tells from where, so that it may be somebody else with their credential.
 */
export const habitSchema = z.object({
  of: z.string(),
  isUsual: z.literal(true).optional(),
  isUnsure: z.literal(true).optional(),
});
export type Habit = z.infer<typeof habitSchema>;

/** From when on, by the log's time, something is known. */
export const knownSchema = z.object({ sinceMs: z.number() });
export type Known = z.infer<typeof knownSchema>;

/**
 * What somebody takes again and again in such numbers, as a mirror does each night. A value belongs to a habit once it was
 * taken among enough others, which was a finding, or among others of the habit: what was never told of teaches nothing, so
 * that nobody earns silence by reading slowly.
 */
export type Usual = {
  habit: (event: LoggedEvent) => Pick<Habit, 'of' | 'isUnsure'>;
  /** How long a value is known at least without another sight, ms. */
  forgetMs: number;
};

const dayMs = 86_400_000;
/** What a rule with habits may be set. */
export const habitSettings = {
  /**
   * How long after the first event what is found is a beginning, since nobody knows yet who does so each night, ms. A week and a
   * day by default, so that what is done each week is seen once.
   */
  learnMs: z
    .int()
    .min(0)
    .max(90 * dayMs)
    .default(8 * dayMs),
};

type Context = Pick<RuleContext<unknown, unknown>, 'get' | 'setTimer' | 'nowMs'> & {
  set: (key: string, value: Known, keepMs: number) => void;
};
type OfHabit = { value: Named; habit?: Habit };

/** How long the first event is remembered: as long as anything is read at all. */
const rememberFirstMs = 400 * dayMs;
const firstKey = 'first:';
const keyOf = (of: string, { id }: Named) => `usual:${of} ${id}`;

/** The habits of one rule: a row for each value of one, however many there are. */
export function habitsOf({ habit, forgetMs }: Usual) {
  return {
    keys: (event: LoggedEvent, value: Named) => [keyOf(habit(event).of, value), firstKey],

    /** What is known of a sight. Known is what was taken longer than `apartMs` ago: what belongs to one window is counted once. */
    look(event: LoggedEvent, value: Named, { get, set }: Context, apartMs: number) {
      const of = habit(event);
      const timeMs = parseTime(event.time);
      const key = keyOf(of.of, value);
      const known = get(key) as Known | undefined;
      const first = (get(firstKey) as Known | undefined) ?? { sinceMs: timeMs };
      const since = timeMs < first.sinceMs ? { sinceMs: timeMs } : first;
      set(firstKey, since, rememberFirstMs);
      // Each sight is one more reason to remember it.
      if (known !== undefined) set(key, known, forgetMs);
      const isUsual = known !== undefined && timeMs >= known.sinceMs + apartMs;
      return {
        habit: isUsual ? { ...of, isUsual: true as const } : of,
        /** How long reads had been told of by then. */
        listenedMs: timeMs - since.sinceMs,
      };
    },

    /** From now on these are known: by a timer that is due at once, since only one may name keys of other events. */
    learn(sights: readonly OfHabit[], event: LoggedEvent, { setTimer, nowMs }: Context): void {
      const fresh = sights.filter((one) => one.habit !== undefined && !one.habit.isUsual);
      const keys = [...new Set(fresh.map(({ habit, value }) => keyOf(habit!.of, value)))];
      if (keys.length > 0) setTimer({ id: `usual:${event.id}`, dueMs: nowMs, keys });
    },
    due({ keys, dueMs }: Timer, { get, set }: Context): void {
      for (const key of keys) if (get(key) === undefined) set(key, { sinceMs: dueMs }, forgetMs);
    },
  };
}
