import { thirdRule } from './detector.rules.ts';

/** What no rule may supersede. */
export const rules = [
  { ...thirdRule, id: 'nothing-wider', supersedes: ['no-such-rule'] },
  { ...thirdRule, id: 'hides-a-door', supersedes: ['break-glass-opened'] },
  { ...thirdRule, id: 'one-of-two', supersedes: ['two-of-two'] },
  { ...thirdRule, id: 'two-of-two', supersedes: ['one-of-two'] },
];
