import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { describe, test } from 'vitest';
import { rule as unreviewed } from './build-from-unreviewed-commit.ts';
import { rule as relaxed } from './protection-weakened-then-push.ts';

/** What is first heard of when it goes or changes was there before: the event that tells of it says how. */
describe('a protection that is first heard of', () => {
  const push = (mark: string) => `
    10:01  mallory  pushes evil to acme/app release/1
    10:02  mallory  starts run 7 of ci in acme/app at evil (on release/1)   ${mark}`;
  const before = '09:00  ada  pushes a to acme/app release/1';
  test.each([
    ['at its deletion', 'deletes ruleset rel of acme/app (protecting refs/heads/release/*)'],
    ['at its deletion, of a branch', 'deletes protection release/* of acme/app'],
    [
      'when it is switched off',
      'changes ruleset rel of acme/app (enforcement active → disabled; protecting refs/heads/release/*)',
    ],
  ])('%s protected its branches until then', (_, does) => {
    const timeline = (mark: string) => `${before}\n10:00  mallory  ${does}${push(mark)}`;
    // What is protected is taken as it was known when the run was judged.
    expectTimeline(unreviewed, timeline('← FOUND acme/app@evil'), { anyOrder: false });
  });
  test.each([
    [
      'was off already',
      'deletes ruleset rel of acme/app (enforcement disabled → disabled; protecting refs/heads/release/*)',
    ],
    ['covered other branches', 'deletes ruleset rel of acme/app (protecting refs/heads/other/*)'],
    ['only comes', 'creates ruleset rel of acme/app (protecting refs/heads/other/*)'],
  ])('and %s protected nothing of it', (_, does) => {
    expectTimeline(unreviewed, `${before}\n10:00  mallory  ${does}${push('')}`);
  });
  test('and its deletion before a push is found', () => {
    expectTimeline(
      relaxed,
      `
      10:00  mallory  deletes ruleset rel of acme/app (protecting refs/heads/release/*)
      10:01  mallory  pushes evil to acme/app release/1
      10:31  nothing happens   ← FOUND acme/app@release/1`,
    );
  });
});
