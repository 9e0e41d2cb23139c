import { thirdRule } from './detector.rules.ts';

/** A rule in a file of its own, as a user names it in `rules.files`. */
export const rule = thirdRule;
