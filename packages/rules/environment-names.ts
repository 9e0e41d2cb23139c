import { inSmallLetters } from '@tripline/contracts/text';

/** Environments have the same name in any capitals of A to Z. */
export const isAmong = (names: readonly string[], environment: string): boolean =>
  names.some((name) => inSmallLetters(name) === inSmallLetters(environment));

/**
 * Whether `environment` may be one of `names` to GitHub, whose rule for capitals beyond A to Z nobody wrote down: letters without their accents, in
 * Unicode's capitals. For what is to be watched; what proves something is {@link isAmong}.
 */
export const mayBeAmong = (names: readonly string[], environment: string): boolean =>
  names.some((name) => bareLetters(name) === bareLetters(environment));

const accents = /[\u0300-\u036f]+/g;
const bareLetters = (name: string): string => name.normalize('NFKD').replace(accents, '').toUpperCase();
