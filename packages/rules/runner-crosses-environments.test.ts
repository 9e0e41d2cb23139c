import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './runner-crosses-environments.ts';

test('one runner for production and staging, once', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of cd in acme/app at c1
    09:01  ada  starts job stage of run 7 (on box-1; to staging)
    09:02  ada  starts job deploy of run 7 (on box-1; to production)   ← FOUND runner:box-1 [medium/high]
    09:03  ada  starts run 8 of cd in acme/app at c2
    09:04  ada  starts job deploy of run 8 (on box-1; to production)
    `,
  );
  expect(findings[0]!.title).toBe('Runner box-1 serves production and staging');
});

test('runners of one tier, environments of none, and the provider’s machines are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of cd in acme/app at c1
    09:01  ada  starts job stage of run 7 (on box-1; to staging)
    09:02  ada  starts job deploy of run 7 (on box-2; to production)
    09:03  ada  starts job pages of run 7 (on box-2; to github-pages)
    09:04  ada  starts job build of run 7 (on box-2)
    09:05  ada  starts job try of run 7 (to staging)
    09:06  ada  starts job live of run 7 (to production)
    `,
  );
});

test('what served both while the workspace was learned is usual; what comes to do so later is not', () => {
  expectTimeline(
    rule,
    `
            09:00  ada  starts run 7 of cd in acme/app at c1
            09:01  ada  starts job stage of run 7 (on box-1; to staging)
            09:02  ada  starts job deploy of run 7 (on box-1; to production)
            09:03  ada  starts job dev of run 7 (on box-2; to dev)
    day 20  09:00  ada  starts run 8 of cd in acme/app at c2
    day 20  09:01  ada  starts job deploy of run 8 (on box-1; to production)
    day 20  09:02  ada  starts job live of run 8 (on box-2; to production)   ← FOUND runner:box-2
    `,
    { learningDays: 14, anyOrder: false },
  );
});

test('a fork’s run makes no runner cross', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      starts run 7 of cd in acme/app at c1
    09:01  ada      starts job stage of run 7 (on box-1; to staging)
    09:02  mallory  starts run 8 of ci in acme/app at c2 (trigger pull_request; of fork mallory)
    09:03  mallory  starts job x of run 8 (on box-1; to production)
    `,
  );
});
