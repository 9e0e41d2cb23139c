import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './access-policy-wider.ts';

test('what gives more informs, and what is refused is medium', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      puts policies p1 in force (giving wider)      ← FOUND policies:p1 [low]
    09:01  ada      puts policies p2 in force (giving other)      ← FOUND policies:p2 [low]
    09:02  mallory  puts policies p3 in force (refused)           ← FOUND policies:p3 [medium]
    `,
  );
});

test('the first, narrower ones, and those that say the same, are none', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  puts policies p1 in force (giving first)
    09:01  ada  puts policies p2 in force (giving narrower)
    09:02  ada  puts policies p3 in force (giving none)
    `,
  );
});
