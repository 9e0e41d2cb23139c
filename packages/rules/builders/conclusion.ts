import type { AnyFact, Fact } from '@tripline/contracts/fact';
import { type ConcludeContext, type Concludes, defineRule, type Rule } from '@tripline/contracts/rule';
import { type Basis, type Concluded, conclusionOf, noneOwn } from './basis.ts';
import { commonOfFacts, type Meta, type SettingsOf, type Shape } from './verdict.ts';

/**
 * A sentence over a shared fact: for each thing of `about`, what follows from it, and from other facts that it `uses`
 * (`watch` has it asked anew when they change). `where` passes over what has nothing to say, before anything is read: of the
 * value alone, since a thing is asked only while it holds or just held.
 */
export function conclusion<Value, S extends Shape>(
  of: Meta & {
    settings?: S;
    about: Fact<Value>;
    uses?: readonly AnyFact[];
    where?: (value: Value, settings: SettingsOf<S>) => boolean;
    /** What `about` keeps only where settings ask for it, by names of its own. */
    wants?: (settings: SettingsOf<S>) => readonly string[];
    /** Which changes of what is watched may matter; any unless told otherwise. */
    matters?: Concludes<SettingsOf<S>>['matters'];
    conclude: (
      value: Value,
      around: ConcludeContext<SettingsOf<S>> & { key: string },
    ) => readonly (Omit<Concluded<never>, 'because'> & { because: readonly Basis[] })[];
  },
): Rule<unknown, SettingsOf<S>> {
  const { about, uses = [], where = () => true, wants, matters, conclude } = of;
  return defineRule<unknown, SettingsOf<S>>({
    ...commonOfFacts(of, of.settings ?? ({} as S)),
    concludes: {
      uses: [about, ...uses],
      about: [about],
      ...(wants === undefined ? {} : { wants: { fact: about, names: wants } }),
      ...(matters === undefined ? {} : { matters }),
      subjects({ fact, key, value, before }, settings) {
        const isAsked = (known: unknown) => known !== undefined && where(known as Value, settings);
        return fact === about.id && (isAsked(value) || isAsked(before)) ? [key] : [];
      },
      conclude(key, context) {
        const value = context.read(about, key);
        if (value === undefined || !where(value, context.settings)) return [];
        return conclude(value, { ...context, settings: context.settings, nowMs: context.nowMs, key }).map((concluded) =>
          conclusionOf<never>(concluded, noneOwn),
        );
      },
    },
  });
}
