import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './access-denied-burst.ts';

const tries = (policies: readonly string[], more = '') =>
  policies.map((policy, nth) => `09:0${nth}  mallory  is denied ${policy} in run 7 of acme/app${more}`);
const doors = ['deploy', 'release', 'backup', 'billing', 'dns'];

test('five policies within ten minutes, denied to one repository', () => {
  expectTimeline(rule, [...tries(doors.slice(0, 4)), `${tries(doors)[4]}   ← FOUND acme/app [medium/high]`].join('\n'));
});

test('fewer, the same again, dry runs, what is granted, and those of another repository do not count', () => {
  expectTimeline(
    rule,
    [
      ...tries(['deploy', 'deploy', 'release', 'deploy', 'backup']),
      ...tries(doors, ' (as a dry run)'),
      '09:06  mallory  is denied billing in run 9 of acme/web',
      '09:07  ada  is granted dns in run 7 of acme/app',
      '10:30  mallory  is denied dns in run 7 of acme/app',
    ].join('\n'),
  );
});
