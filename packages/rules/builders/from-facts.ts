import type { AnyFact } from '@tripline/contracts/fact';
import { type ConcludeContext, defineRule, type Rule } from '@tripline/contracts/rule';
import { basisOf, type Concluded, conclusionOf } from './basis.ts';
import { ownFact, type Sight, type Sightings, sightsOf } from './own-fact.ts';
import { commonOfFacts, type Meta, type SettingsOf, type Shape } from './verdict.ts';

/** What a built rule may look at beside its own observations. */
export type Around<Data, Settings> = Pick<
  ConcludeContext<Settings>,
  'settings' | 'nowMs' | 'read' | 'watch' | 'recheckAt' | 'explain' | 'doubtOf'
> & {
  key: string;
  /** Observations of this rule under another key; asked anew whenever they change. */
  beside: (key: string) => readonly Sight<Data>[];
};

/**
 * Few observations that matter to each other for weeks: what stands of a thing is a function of all that was observed
 * of it, in order of its own times. A finding that no longer follows is retracted by the engine, unless what it rests
 * on is lost.
 */
export function fromFacts<Data, S extends Shape>(
  of: Meta &
    Sightings<Data> & {
      settings?: S;
      /** How long observations of a thing are kept after the last of them, ms. */
      keepMs: number;
      /** Shared facts that it reads or watches. */
      uses?: readonly AnyFact[];
      /** Keys under which an event is kept too, the latest of them, of which only `key` is concluded. */
      alsoUnder?: Sightings<Data>['key'];
      conclude: (sights: readonly Sight<Data>[], around: Around<Data, SettingsOf<S>>) => readonly Concluded<Data>[];
    },
): Rule<unknown, SettingsOf<S>> {
  const { key, alsoUnder, tell, conclude, keepMs, uses = [] } = of;
  const own = ownFact({ ...of, keepMs, keyOf: key });
  const others =
    alsoUnder === undefined
      ? undefined
      : ownFact({ ...of, id: `${of.id}-beside`, keepMs, keyOf: alsoUnder, rolls: true });
  const facts: AnyFact[] = others === undefined ? [own] : [own, others];
  const basis = basisOf(own, tell);
  return defineRule<unknown, SettingsOf<S>>({
    ...commonOfFacts(of, of.settings ?? ({} as S)),
    concludes: {
      uses: [...facts, ...uses],
      about: [own],
      subjects: ({ fact, key: changed }) => (fact === own.id ? [changed] : []),
      conclude(subject, context) {
        const { settings, nowMs, read, watch, recheckAt, explain, doubtOf } = context;
        const sights = sightsOf(read(own, subject), subject);
        const beside = (other: string) => (others === undefined ? [] : sightsOf(watch(others, other), other));
        const around = { key: subject, settings, nowMs, read, watch, recheckAt, explain, doubtOf, beside };
        return conclude(sights, around).map((concluded) => conclusionOf(concluded, basis));
      },
    },
  });
}
