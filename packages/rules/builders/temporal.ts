import type { AnyFact } from '@tripline/contracts/fact';
import { defineRule, type Rule } from '@tripline/contracts/rule';
import { msBetween, parseTime } from '@tripline/contracts/time';
import { basisOf, type Concluded, conclusionOf } from './basis.ts';
import type { Around } from './from-facts.ts';
import { ownFact, type Sight, type Sightings, sightsOf } from './own-fact.ts';
import { commonOfFacts, type Meta, type SettingsOf, type Shape } from './verdict.ts';

const lateMs = 72 * 3_600_000;

/** A shared fact under the same keys, in which something begins that a rule waits for the rest of. */
export type Beginnings = { fact: AnyFact; startsMs: (value: never) => readonly number[] };

/**
 * Observations that matter to each other for a time: joins, and sequences (`sequencesOf`). Observations of a busy thing
 * are kept in stretches of `stretchMs`, so that each event rewrites one stretch and not days. A finding belongs to the
 * stretch in which it begins, and may reach into the next: no window may be longer than a stretch.
 */
export function temporal<Data, S extends Shape>(
  of: Meta &
    Sightings<Data> & {
      settings?: S;
      stretchMs: number;
      /** How long an observation waits for related events that may still arrive, ms from its receipt. */
      settleMs?: number;
      /** From this number of observations on none waits, since the next may displace it. */
      crowdedAt?: number;
      /**
       * Shared facts in which every window begins, where they do: while nothing does, nothing is found, and `conclude` not asked.
       * What it finds rests on one of them.
       */
      begins?: readonly Beginnings[];
      /** Shared facts that it reads or watches beside. */
      uses?: readonly AnyFact[];
      /** Of the observations of two stretches: only what begins in the first of them is found. */
      conclude: (
        sights: readonly Sight<Data>[],
        around: Omit<Around<Data, SettingsOf<S>>, 'beside'>,
      ) => readonly Concluded<Data>[];
    },
): Rule<unknown, SettingsOf<S>> {
  const { key, tell, conclude, stretchMs, begins = [], uses = [], settleMs = 0 } = of;
  const { crowdedAt = Number.POSITIVE_INFINITY } = of;
  const stretchOf = (ms: number) => Math.floor(ms / stretchMs);
  const placeOf = (named: string, stretch: number) => `${named} ${stretch}`;
  const own = ownFact({
    ...of,
    keepMs: lateMs + 2 * stretchMs,
    keyOf(event) {
      const named = key(event);
      return named === undefined ? undefined : placeOf(named, stretchOf(parseTime(event.time)));
    },
  });
  const basis = basisOf(own, tell);
  return defineRule<unknown, SettingsOf<S>>({
    ...commonOfFacts(of, of.settings ?? ({} as S)),
    concludes: {
      uses: [own, ...begins.map(({ fact }) => fact), ...uses],
      about: [own, ...begins.map(({ fact }) => fact)],
      ...(begins.length === 0 ? {} : { begins: { facts: begins.map(({ fact }) => fact), key: namedIn } }),
      subjects({ fact, key: changed, value, before }) {
        if (fact === own.id) {
          const [named, stretch] = partsOf(changed);
          return [placeOf(named, stretch), placeOf(named, stretch - 1)];
        }
        const startsMs = begins.find((one) => one.fact.id === fact)?.startsMs;
        // What began by what was known until then may not have, by what is received late.
        const starts = [before, value].flatMap((one) => (one === undefined ? [] : (startsMs?.(one as never) ?? [])));
        return [...new Set(starts.map((ms) => placeOf(changed, stretchOf(ms))))];
      },
      conclude(subject, { settings, nowMs, read, watch, recheckAt, explain, doubtOf }) {
        const [named, stretch] = partsOf(subject);
        const isBegun = ({ fact, startsMs }: Beginnings) => {
          const value = read(fact, named);
          return value !== undefined && startsMs(value as never).length > 0;
        };
        // When something begins the subject is asked anew, so nothing need be waited for.
        if (begins.length > 0 && !begins.some(isBegun)) return [];
        const next = placeOf(named, stretch + 1);
        const heard = [...sightsOf(read(own, subject), subject), ...sightsOf(read(own, next), next)];
        const sights = heard.length >= crowdedAt ? heard : heard.filter(({ heardMs }) => nowMs >= heardMs + settleMs);
        if (sights.length < heard.length)
          recheckAt(Math.min(...heard.map(({ heardMs }) => heardMs + settleMs).filter((ms) => ms > nowMs)));
        return conclude(sights, { key: named, settings, nowMs, read, watch, recheckAt, explain, doubtOf })
          .filter(({ because }) => stretchOf(startOf(because)) === stretch)
          .map((concluded) => conclusionOf(concluded, basis));
      },
    },
  });
}

const namedIn = (place: string): string => place.slice(0, place.lastIndexOf(' '));
function partsOf(place: string): [named: string, stretch: number] {
  const named = namedIn(place);
  return [named, Number(place.slice(named.length + 1))];
}

function startOf<Data>(because: Concluded<Data>['because']): number {
  return Math.min(...because.map((one) => parseTime('seen' in one ? one.seen.time : one.time)));
}

/**
 * Sequences of observations, one of each step, each after the one before and all within `withinMs` of the first, unless
 * something of `until` lies between. From each beginning the earliest sequence is taken, so each is reported once.
 */
export function sequencesOf<T extends { time: string }>(
  inOrder: readonly T[],
  of: {
    steps: readonly ((one: T, before: readonly T[]) => boolean)[];
    until?: (one: T, before: readonly T[]) => boolean;
    withinMs: number;
  },
): T[][] {
  const found: T[][] = [];
  for (const [place, first] of inOrder.entries()) {
    if (!of.steps[0]!(first, [])) continue;
    const chain = [first];
    for (const one of inOrder.slice(place + 1)) {
      if (chain.length === of.steps.length || msBetween(first, one) > of.withinMs) break;
      if (of.until?.(one, chain)) break;
      if (of.steps[chain.length]!(one, chain)) chain.push(one);
    }
    if (chain.length === of.steps.length) found.push(chain);
  }
  return found;
}
