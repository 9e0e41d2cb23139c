import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './fork-cache-to-release.ts';

const settings = {
  'fork-cache-to-release': {
    cachingWorkflows: ['acme/app/.github/workflows/bench.yml'],
    releaseWorkflows: ['acme/app/.github/workflows/release.yml'],
  },
};

test('a fork’s code ran where it could fill the cache, and a legitimate release follows', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00         mallory  starts run 5 of bench in acme/app at e1 (trigger pull_request_target; of fork mallory)
    day 3  10:00  ada      starts run 7 of release in acme/app at c1                                                 ← FOUND acme/app#7 [high/medium]
    `,
    { settings },
  );
  expect(findings[0]!.response).toMatchObject([
    { action: 'stop-run', runId: '7' },
    { action: 'delete-caches', repository: 'acme/app', since: expect.stringContaining('T09:00:00') },
    { action: 'delete-artifacts', repository: 'acme/app', runId: '7' },
  ]);
});

test('a release that is run again after a fork’s code ran restores what that cached', () => {
  expectTimeline(
    rule,
    `
    09:00         ada      starts run 7 of release in acme/app at c1
    day 2  09:00  mallory  starts run 5 of bench in acme/app at e1 (trigger pull_request_target; of fork mallory)
    day 3  10:00  ada      starts run 7 of release in acme/app at c1 (attempt 2)    ← FOUND acme/app#7 [high/medium]
    day 3  12:00  ada      starts run 7 of release in acme/app at c1 (attempt 3)
    `,
    { settings },
  );
});

test('a fork’s run that is received late is found all the same', () => {
  expectTimeline(
    rule,
    `
    10:00  ada      starts run 7 of release in acme/app at c1
    09:00  mallory  starts run 5 of bench in acme/app at e1 (trigger pull_request_target; of fork mallory; heard 11:00)  ← FOUND acme/app#7
    `,
    { settings },
  );
});

test('honest work: other workflows, more than a week, forks without the base’s rights, another repository', () => {
  expectTimeline(
    rule,
    `
    09:00          eve  starts run 5 of label in acme/app at e1 (trigger pull_request_target; of fork eve)
    09:01          eve  starts run 6 of bench in acme/app at e1 (trigger pull_request; of fork eve)
    09:02          eve  starts run 7 of bench in acme/other at e1 (trigger pull_request_target; of fork eve)
    10:00          ada  starts run 8 of release in acme/app at c1
    10:30          ada  starts run 9 of test in acme/app at c1
    11:00          eve  starts run 10 of bench in acme/app at e2 (trigger pull_request_target; of fork eve)
    day 9  12:00   ada  starts run 11 of release in acme/app at c2
    `,
    { settings },
  );
});

test('finds nothing until it is told which workflows cache and which release', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 5 of bench in acme/app at e1 (trigger pull_request_target; of fork mallory)
    10:00  ada      starts run 7 of release in acme/app at c1
    `,
  );
});

test('fork runs of others push nothing of a stranger’s out of what stands', () => {
  const noise = Array.from({ length: 15 }, (_, at) => {
    const time = `11:${String(at).padStart(2, '0')}`;
    return `    ${time}  eve  starts run ${100 + at} of bench in acme/app at e${at + 2} (trigger pull_request_target; of fork eve)`;
  });
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 5 of bench in acme/app at e1 (trigger pull_request_target; of fork mallory)
    10:00  ada      starts run 7 of release in acme/app at c1                                                 ← FOUND acme/app#7
${noise.join('\n')}
    `,
    { settings, anyOrder: false },
  );
});
