import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './secret-fanout.ts';

const ci = 'acme/app/.github/workflows/ci.yml';
const names = (count: number, from = 0) => Array.from({ length: count }, (_, nth) => `S${nth + from}`).join(',');

test('a job that takes all there are, of a workflow that took two', () => {
  const { findings } = expectTimeline(
    rule,
    `
    day 1 09:00   ada      hands ${names(2)} to job build of acme/app
    day 32 09:00  ada      hands ${names(3)} to job build of acme/app
    day 33 09:00  mallory  hands ${names(20)} to job dump of acme/app (in run 7)    ← FOUND ${ci} [medium/high]
    day 33 09:05  mallory  hands ${names(20)} to job dump of acme/app (in run 8)
    `,
  );
  expect(findings[0]!.title).toBe(`A job of ${ci} was given 20 secrets at once`);
  expect(findings[0]!.response[0]).toMatchObject({ action: 'stop-run', runId: '7' });
});

test('it is not learned: the next leap is measured against what was usual before', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   ada      hands ${names(2)} to job build of acme/app
    day 33 09:00  mallory  hands ${names(20)} to job dump of acme/app    ← FOUND ${ci}
    day 34 09:00  mallory  hands ${names(40)} to job dump of acme/app    ← FOUND ${ci}
    `,
  );
});

test('`secrets: inherit` from the start, growth by and by, few secrets, and another workflow are work', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  hands ${names(2)} to job lint of acme/app
    day 2 09:00   ada  hands ${names(30)} to job build of acme/app
    day 40 09:00  ada  hands ${names(40)} to job build of acme/app
    `,
  );
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  hands ${names(1)} to job build of acme/app
    day 33 09:00  ada  hands ${names(3)} to job build of acme/app
    day 40 09:00  ada  hands ${names(7)} to job build of acme/app
    day 50 09:00  ada  hands ${names(12)} to job build of acme/app
    day 50 09:01  ada  hands ${names(20)} to job build of acme/app (of workflow acme/app/.github/workflows/new.yml@refs/heads/main)
    `,
  );
});
