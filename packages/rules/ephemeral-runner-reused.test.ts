import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './ephemeral-runner-reused.ts';

test('one that was registered for one job takes a second', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  arc[bot]  registers runner jit-1 in acme (for one job)
    09:01  ada      starts run 7 of ci in acme/app at c1
    09:02  ada      starts job build of run 7 (on jit-1)
    09:10  mallory  starts run 8 of ci in acme/app at c2
    09:11  mallory  starts job deploy of run 8 (on jit-1; to production)   ← FOUND runner:jit-1 [high/high]
    09:12  mallory  finishes job deploy of run 8
    `,
  );
  expect(findings[0]!.title).toBe('Runner jit-1, which is made for one job, took a second one');
  expect(findings[0]!.response).toMatchObject([
    { action: 'isolate-runner', organization: 'acme', runnerName: 'jit-1' },
  ]);
});

test('one of a pool that settings name', () => {
  const text = (mark: string) => `
    09:01  ada  starts run 7 of ci in acme/app at c1
    09:02  ada  starts job build of run 7 (on pool-a1; group id 3)
    09:11  ada  starts job test of run 7 (on pool-a1; group id 3)${mark}`;
  const pools = [{ groupId: '3', namePrefix: 'pool-' }];
  expectTimeline(rule, text('   ← FOUND runner:pool-a1'), { settings: { [rule.id]: { pools } } });
  expectTimeline(rule, text(''), { settings: { [rule.id]: { pools: [{ groupId: '4', namePrefix: 'pool-' }] } } });
});

test('machines that stay, a pool of runners for one job each, and one job told of twice are work', () => {
  expectTimeline(
    rule,
    `
    08:00  ada       registers runner box-1 in acme
    08:01  arc[bot]  registers runner jit-1 in acme (for one job)
    08:02  arc[bot]  registers runner jit-2 in acme (for one job)
    09:01  ada  starts run 7 of ci in acme/app at c1
    09:02  ada  starts job build of run 7 (on jit-1)
    09:03  ada  starts job test of run 7 (on jit-2)
    09:04  ada  finishes job build of run 7
    09:05  ada  starts job lint of run 7 (on box-1)
    09:06  ada  starts job docs of run 7 (on box-1)
    `,
  );
});
