import { defineRule, type Rule } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { basisOf, type Concluded, conclusionOf } from './basis.ts';
import { ownFact, type Sight, type Sightings, sightsOf } from './own-fact.ts';
import { commonOfFacts, type Meta, type SettingsOf, type Shape } from './verdict.ts';

const lateMs = 72 * 3_600_000;

/**
 * Something happened, and what belongs to it did not: the kind of an observation, `needs` or `fulfils`, says which it
 * is. A fulfilment is within `withinMs` after the need or, with `beforeMs`, before it. The rule waits `graceMs` longer
 * than that, and than the receipt of the need, since deliveries come late; a later fulfilment still retracts the
 * finding.
 */
export function absence<Data, S extends Shape>(
  of: Meta &
    Sightings<Data> & {
      observe: (
        event: Parameters<Sightings<Data>['observe']>[0],
      ) => { kind: 'needs' | 'fulfils'; data: Data } | undefined;
      settings?: S;
      withinMs: (settings: SettingsOf<S>) => number;
      beforeMs?: (settings: SettingsOf<S>) => number;
      graceMs: (settings: SettingsOf<S>) => number;
      /** The longest that the settings allow, for how long things are kept, ms. */
      longestMs: number;
      /** Whether `one` is what `need` wants, where the key alone does not say it. */
      isFor?: (one: Sight<Data>, need: Sight<Data>) => boolean;
      found: (
        need: Sight<Data>,
        settings: SettingsOf<S>,
      ) => Omit<Concluded<Data>, 'because' | 'occasion'> & { occasion?: string };
    },
): Rule<unknown, SettingsOf<S>> {
  const { tell, withinMs, graceMs, found, isFor = () => true } = of;
  const own = ownFact({ ...of, keepMs: lateMs + 2 * of.longestMs, keyOf: of.key });
  const basis = basisOf(own, tell);
  return defineRule<unknown, SettingsOf<S>>({
    ...commonOfFacts(of, of.settings ?? ({} as S)),
    concludes: {
      uses: [own],
      subjects: ({ key }) => [key],
      conclude(subject, { settings, nowMs, read, recheckAt, explain }) {
        const sights = sightsOf(read(own, subject), subject);
        const fulfilling = sights.filter(({ kind }) => kind === 'fulfils');
        const before = of.beforeMs?.(settings) ?? 0;
        return sights.flatMap((need) => {
          if (need.kind !== 'needs') return [];
          const needMs = parseTime(need.time);
          const one = fulfilling.find((other) => {
            const afterMs = parseTime(other.time) - needMs;
            return afterMs >= -before && afterMs <= withinMs(settings) && isFor(other, need);
          });
          if (one !== undefined) {
            explain(`by what was received since: ${tell(one)}`);
            return [];
          }
          const dueMs = Math.max(needMs + withinMs(settings), need.heardMs) + graceMs(settings);
          if (nowMs >= dueMs)
            return [conclusionOf({ occasion: need.eventId, ...found(need, settings), because: [need] }, basis)];
          recheckAt(dueMs);
          return [];
        });
      },
    },
  });
}
