import { thirdRule } from './detector.rules.ts';

/** Several rules in one file. */
export const rules = [thirdRule, { ...thirdRule, id: 'third-branch-again' }];
