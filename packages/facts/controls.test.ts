import type { LoggedEvent } from '@tripline/contracts/event';
import { seeded } from '@tripline/testing/timeline/any-order';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { permuted } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { controls, isRelaxedFor, relaxationsOf } from './controls.ts';

const at = { key: '', nowMs: 0, pinned: new Set<string>(), flooded: () => {}, wants: () => false };
const learnt = (events: readonly object[]) => {
  let value = controls.learn(undefined, events[0] as LoggedEvent, at);
  for (const event of events.slice(1)) value = controls.learn(value, event as LoggedEvent, at);
  return value!;
};
/** Who relaxed what, and who put it back. */
const relaxed = (text: string) =>
  relaxationsOf(learnt(eventsOf(text))).map(
    ({ change, aspects, restoredBy }) =>
      `${change.by!.login}: ${aspects.join(', ')}${restoredBy === undefined ? '' : ` until ${restoredBy.by!.login}`}`,
  );

describe('what makes a control weaker', () => {
  test.each([
    ['ruleset main of acme/app (enforcement active → disabled)', 'in force'],
    ['ruleset main of acme/app (enforcement active → evaluate)', 'in force'],
    ['protection main of acme/app (required_approving_review_count 2 → 0)', 'approvals'],
    ['protection main of acme/app (admin_enforced true → false)', 'admin_enforced'],
    [
      'protection main of acme/app (allow_force_pushes_enforcement_level off → everyone)',
      'allow_force_pushes_enforcement_level',
    ],
    [
      'protection main of acme/app (pull_request_reviews_enforcement_level everyone → off)',
      'pull_request_reviews_enforcement_level',
    ],
  ])('the first that is received of it: %s', (what, aspects) => {
    expect(relaxed(`09:00  ada  relaxes ${what}`)).toEqual([`ada: ${aspects}`]);
  });

  test('nothing does that makes it stronger, or leaves it as it was, or was not in force', () => {
    expect(relaxed('09:00  ada  tightens protection main of acme/app (required_approving_review_count 0 → 2)')).toEqual(
      [],
    );
    expect(relaxed('09:00  ada  changes ruleset main of acme/app (name main → trunk)')).toEqual([]);
    expect(relaxed('09:00  ada  creates ruleset main of acme/app (bypassed by deployer)')).toEqual([]);
    const onTrial = `
      09:00  ada  creates ruleset main of acme/app (enforcement disabled → evaluate)
      09:01  ada  relaxes ruleset main of acme/app (enforcement evaluate → disabled)
      09:02  ada  deletes ruleset main of acme/app
    `;
    expect(relaxed(onTrial)).toEqual([]);
  });

  test('who may go round it, which GitHub’s list of changes leaves out', () => {
    const text = `
      09:00  ada      creates ruleset main of acme/app (bypassed by deployer)
      09:01  mallory  relaxes ruleset main of acme/app (bypassed by deployer, mallory-app)
      09:02  ada      tightens ruleset main of acme/app (bypassed by deployer)
    `;
    expect(relaxed(text)).toEqual([expect.stringMatching(/^mallory: bypass Integration \d+ until ada$/)]);
  });

  test('one aspect stronger hides none that is weaker', () => {
    const text = `
      09:00  ada      creates protection main of acme/app
      09:01  mallory  changes protection main of acme/app (required_approving_review_count 1 → 6; admin_enforced true → false)
    `;
    expect(relaxed(text)).toEqual(['mallory: admin_enforced']);
  });

  test('a second step down is one more, and each ends when all of it is back', () => {
    const text = `
      09:00  ada      relaxes protection main of acme/app (required_approving_review_count 2 → 1)
      10:00  mallory  relaxes protection main of acme/app (required_approving_review_count 1 → 0)
      11:00  bob      tightens protection main of acme/app (required_approving_review_count 0 → 1)
    `;
    expect(relaxed(text)).toEqual(['ada: approvals', 'mallory: approvals until bob']);
  });

  test('deleted and made again, or switched off and on with a way round it', () => {
    const again = `
      09:00  ada      creates ruleset main of acme/app
      09:01  mallory  deletes ruleset main of acme/app
      09:05  mallory  creates ruleset main2 of acme/app (protecting refs/heads/main)
    `;
    expect(relaxed(again)).toEqual(['mallory: in force until mallory']);
    const changed = `
      09:00  ada      creates ruleset main of acme/app
      09:01  mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
      09:05  mallory  puts back ruleset main of acme/app (bypassed by mallory-app)
    `;
    expect(relaxed(changed)).toEqual(['mallory: in force until mallory', expect.stringContaining('mallory: bypass')]);
  });

  test('all protections of a repository at once', () => {
    const text = `
      09:00  ada  disables protection of acme/app
      09:10  bob  enables protection of acme/app
    `;
    expect(relaxed(text)).toEqual(['ada: in force until bob']);
  });
});

test('it covers the refs that it covered before, too', () => {
  const [relaxation] = relaxationsOf(
    learnt(
      eventsOf(
        '09:00  ada  relaxes ruleset main of acme/app (protecting ~DEFAULT_BRANCH, refs/heads/release/**/*; enforcement active → disabled)',
      ),
    ),
  );
  const atMs = Date.parse(relaxation!.change.time);
  const isOpen = (type: 'branch' | 'tag', name: string, ms = atMs) => isRelaxedFor(relaxation!, { type, name }, ms);
  expect(isOpen('branch', 'main')).toBe(true);
  expect(isOpen('branch', 'release/1/x')).toBe(true);
  expect(isOpen('branch', 'feature')).toBe(false);
  expect(isOpen('tag', 'main')).toBe(false);
  expect(isOpen('branch', 'main', atMs - 1)).toBe(false);
});

test('what is known is the same in whatever order it was received, and twice is once', () => {
  const events = eventsOf(`
    09:00  ada      creates ruleset main of acme/app
    09:01  mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
    09:05  mallory  puts back ruleset main of acme/app
    09:06  ada      relaxes protection main of acme/app (required_approving_review_count 2 → 1)
    09:07  ada      deletes ruleset main of acme/app
  `);
  const wanted = learnt(events);
  const random = seeded(3);
  for (let shuffle = 0; shuffle < 20; shuffle += 1) {
    const other = permuted(events, random).toSorted((a, b) => a.atMs - b.atMs);
    expect(learnt([...other, ...other])).toEqual(wanted);
  }
  const value = learnt(events);
  expect(controls.learn(value, events[2] as unknown as LoggedEvent, at)).toBe(value);
  expect(controls.value.safeParse(value).success).toBe(true);
});
