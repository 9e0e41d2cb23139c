import { inSmallLetters } from '@tripline/contracts/text';
import { z } from 'zod';

/** What a condition allows: whole texts, and beginnings of texts. Compared letter by letter; nothing else is a pattern. */
export type TextSet = readonly TextMember[];
type TextMember = string | { readonly prefix: string };

const written = z
  .string()
  .min(1)
  .max(500)
  .refine((text) => !/[*?]/.test(text), '* and ? are no wildcards here: list the values, or say {prefix: …}');
const member = z.union([written, z.strictObject({ prefix: written })], {
  error: 'say a text, or {prefix: …} for all that begin with it',
});

/** As a policy writes it: one member, or a list of them. */
export const textSet: z.ZodType<TextSet> = z
  .union([member.transform((one) => [one]), z.array(member).min(1).max(50)], {
    error: 'say a text, {prefix: …}, or a list of them; * and ? are no wildcards',
  })
  .readonly();

export const isIn = (set: TextSet, value: string): boolean =>
  set.some((one) => (typeof one === 'string' ? one === value : value.startsWith(one.prefix)));

/** The same in whatever capitals: GitHub's names of environments are one name in all of them. */
export const isInAnyCase = (set: TextSet, value: string): boolean => isIn(lowered(set), inSmallLetters(value));
const lowered = (set: TextSet): TextSet =>
  set.map((one) => (typeof one === 'string' ? inSmallLetters(one) : { prefix: inSmallLetters(one.prefix) }));

/** Whether every text of `inner` is in `outer` too. */
export const contains = (outer: TextSet, inner: TextSet): boolean =>
  inner.every((one) =>
    typeof one === 'string'
      ? isIn(outer, one)
      : // A prefix holds endless texts, so that no list of whole ones holds it.
        outer.some((other) => typeof other !== 'string' && one.prefix.startsWith(other.prefix)),
  );

/** Whether some text is in both. */
export const overlaps = (a: TextSet, b: TextSet): boolean =>
  a.some((one) =>
    b.some((other) => {
      if (typeof one === 'string') return isIn([other], one);
      if (typeof other === 'string') return other.startsWith(one.prefix);
      return one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix);
    }),
  );

/** `refs/heads/main or refs/tags/v…`. */
export const describeSet = (set: TextSet): string =>
  set.map((one) => (typeof one === 'string' ? one : `${one.prefix}…`)).join(' or ');

/** A text that is in the set. */
export function memberOf(set: TextSet): string {
  const [first] = set;
  if (first === undefined) throw new RangeError('a set of texts has at least one member');
  return typeof first === 'string' ? first : `${first.prefix}1`;
}
