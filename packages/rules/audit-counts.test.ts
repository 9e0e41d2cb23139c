import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { describe, expect, test } from 'vitest';
import { rules } from './audit-counts.ts';

const ruleOf = (id: string) => rules.find((rule) => rule.id === id)!;
/** So many lines, twenty seconds apart. */
const lines = (count: number, line: (nth: number) => string) =>
  Array.from({ length: count }, (_, nth) => {
    const seconds = 20 * nth;
    const minutes = String(Math.floor(seconds / 60)).padStart(2, '0');
    return `09:${minutes}:${String(seconds % 60).padStart(2, '0')}  ${line(nth)}`;
  }).join('\n');
const fewer = (id: string, atLeast: number) => ({ settings: { [id]: { atLeast } } });
const learned = { settings: { 'user-bulk-clone': { learnMs: 0 } } };

describe('user-bulk-clone', () => {
  const rule = ruleOf('user-bulk-clone');
  const clones = (who: string, count: number) =>
    lines(count, (nth) => `${who}  clones acme/app-${nth} with token t${nth % 7}`);

  test('counts an account’s repositories, by however many tokens: 25 by default', () => {
    expectTimeline(rule, `${clones('mallory', 25)}     ← FOUND user:mallory [medium/high]`, learned);
    expectTimeline(rule, clones('mallory', 24), learned);
  });

  test('counts nothing that is public, which anybody may clone', () => {
    expectTimeline(rule, clones('mallory', 30).replaceAll(/$/gm, ' (saying repository_public true)'), learned);
  });

  test('says nothing of what one token alone read, which is found already', () => {
    const of = (token: string) => lines(25, (nth) => `mallory  clones acme/app-${nth} ${token}`);
    expectTimeline(rule, of('with token t1'), learned);
  });

  test('the same repositories again are no more, and a mirror has a number of its own', () => {
    expectTimeline(
      rule,
      lines(12, (nth) => `ada  clones acme/app-${nth % 3} with token t1`),
      fewer('user-bulk-clone', 5),
    );
    const settings = { 'user-bulk-clone': { atLeast: 5, quotas: { mirror: 30 } } };
    expectTimeline(rule, clones('mirror', 12), { settings });
  });

  test('is low while it is learned who does so, and silent for the same ones again from the same network', () => {
    const from = (day: string) =>
      clones('mirror', 25).replaceAll(/^/gm, `${day}  `).replaceAll(/$/gm, ' (from 198.51.100.40)');
    expectTimeline(rule, `${from('day 1')}     ← FOUND user:mirror [low]\n${from('day 5')}`);
  });
});

describe('protected-branches-forced', () => {
  const rule = ruleOf('protected-branches-forced');
  const forced = (count: number, code: string) =>
    lines(
      count,
      (nth) => `mallory  does protected_branch.policy_override in acme/app-${nth} (saying overridden_codes ${code})`,
    );

  test('counts overrides of a forced push, and of nothing else', () => {
    expectTimeline(rule, `${forced(10, 'force_push')}     ← FOUND user:mallory [medium/high]`);
    expectTimeline(rule, forced(9, 'force_push'));
    expectTimeline(rule, forced(12, 'review_policy_not_satisfied'));
  });
});

describe('protected-branches-tried', () => {
  const rule = ruleOf('protected-branches-tried');
  const tried = (count: number) => lines(count, () => 'mallory  does protected_branch.rejected_ref_update in acme/app');

  test('counts each refusal, of one branch too, and five are enough', () => {
    expectTimeline(rule, `${tried(5)}     ← FOUND user:mallory [medium/high]`);
    expectTimeline(rule, tried(4));
  });

  test('a mistake a day is none', () => {
    expectTimeline(
      rule,
      [1, 2, 3, 4, 5, 6]
        .map((day) => `day ${day}  09:00  ada  does protected_branch.rejected_ref_update in acme/app`)
        .join('\n'),
    );
  });
});

describe('changes-closed-in-bulk', () => {
  const rule = ruleOf('changes-closed-in-bulk');
  const closed = (who: string, count: number) =>
    [
      ...Array.from(
        { length: count },
        (_, nth) => `08:${String(nth + 10)}  ada  opens #${nth + 1} in acme/app from b${nth} at c${nth}`,
      ),
      lines(count, (nth) => `${who}  closes #${nth + 1} in acme/app`),
    ].join('\n');

  test('counts changes that one account closes unmerged; bots tidy up', () => {
    expectTimeline(
      rule,
      `${closed('mallory', 4)}     ← FOUND user:mallory [medium/high]`,
      fewer('changes-closed-in-bulk', 4),
    );
    expectTimeline(rule, closed('mallory', 3), fewer('changes-closed-in-bulk', 4));
    expectTimeline(rule, closed('stale[bot]', 5), fewer('changes-closed-in-bulk', 4));
  });

  test('those of others in the repository itself are a finding of their own; neither own ones nor those of forks are', () => {
    const others = ruleOf('others-changes-closed-in-bulk');
    const few = fewer(others.id, 4);
    expectTimeline(others, `${closed('mallory', 4)}     ← FOUND user:mallory [medium/high]`, few);
    expectTimeline(others, closed('ada', 6), few);
    // Who may write to a fork closes what another opened from there.
    expectTimeline(others, closed('mallory', 6).replaceAll(/(opens .*)$/gm, '$1 (of fork eve; association NONE)'), few);
    expect(others.settings).toBe(rule.settings);
  });
});
