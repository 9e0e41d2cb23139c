import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './deployment-gate-bypassed.ts';

test('a review was asked for, nobody gave it, and the job began', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  requests review of run 7 for production
    09:02  mallory  starts job deploy of run 7 (to production)
    09:12  ada      pushes c2 to acme/other main                 ← FOUND acme/app#7 [high/medium]
    `,
  );
  expect(findings[0]!.title).toBe('Run 7 of acme/app deployed to production though nobody approved it');
  expect(findings[0]!.response).toMatchObject([{ action: 'stop-run', runId: '7', repository: 'acme/app' }]);
});

test('an approval that is received late takes it back', () => {
  expectTimeline(
    rule,
    `
    09:00  ada    starts run 7 of release in acme/app at c1
    09:01  ada    requests review of run 7 for production
    09:02  ada    starts job deploy of run 7 (to production)
    09:12  ada    pushes c2 to acme/other main                                ← FOUND acme/app#7
    09:01  carol  approves run 7 for production (heard 10:00)                 ← RETRACTED acme/app#7
    `,
  );
});

test('while deliveries of that time come late it is medium, and high once they must have come', () => {
  const late = `
    09:00  ada    starts run 6 of release in acme/lib at c0
    09:01  ada    starts job deploy of run 6 (to production; heard 10:35)
    09:05  ada    starts run 7 of release in acme/app at c1
    08:58  ada    requests review of run 7 for production
    10:30  ada    starts job deploy of run 7 (to production)`;
  expectTimeline(
    rule,
    `${late}
    10:40  ada    pushes c2 to acme/other main                     ← FOUND acme/app#7 [medium/medium]
    10:29  carol  approves run 7 for production (heard 13:00)      ← RETRACTED acme/app#7
    `,
    { anyOrder: false },
  );
  const { findings } = expectTimeline(
    rule,
    `${late}
    10:40  ada    pushes c2 to acme/other main                     ← FOUND acme/app#7 [high/medium]
    16:30  ada    pushes c3 to acme/other main
    `,
    { anyOrder: false },
  );
  expect(findings[0]).toMatchObject({ severity: 'high', response: [{ action: 'stop-run' }] });
});

test('a gate that is told of late while deliveries come late is waited for', () => {
  const text = (mark: string) => `
    09:00         ada      starts run 7 of release in acme/app at c1
    09:01         ada      requests review of run 7 for production
    09:02         carol    approves run 7 for production
    09:03         ada      starts job deploy of run 7 (to production)
    day 2  09:00  ada      starts run 8 of release in acme/app at c2
    day 2  09:30  ada      starts job deploy of run 8 (to production)
    day 2  09:25  eve      starts run 9 of release in acme/lib at c2
    day 2  09:26  eve      starts job deploy of run 9 (to production; heard day 2 09:39)
    day 2  09:41  ada      pushes c2 to acme/other main
    day 2  15:31  ada      pushes c3 to acme/other main ${mark}`;
  expectTimeline(rule, text('← FOUND acme/app@production [medium/medium]'), { anyOrder: false });
  expectTimeline(
    rule,
    `${text('')}
    day 2  09:01  ada      requests review of run 8 for production (heard day 2 12:02)
    day 2  09:29  carol    approves run 8 for production (heard day 2 12:01)`,
    { anyOrder: false },
  );
});

test('a rejected job has no machine; one that began all the same is found', () => {
  expectTimeline(
    rule,
    `
    09:00  ada    starts run 7 of release in acme/app at c1
    09:01  ada    requests review of run 7 for production
    09:02  carol  rejects run 7 for production
    `,
  );
  expectTimeline(
    rule,
    `
    09:00  ada    starts run 7 of release in acme/app at c1
    09:01  ada    requests review of run 7 for production
    09:02  carol  rejects run 7 for production
    09:03  ada    starts job deploy of run 7 (to production)
    09:13  ada    pushes c2 to acme/other main                  ← FOUND acme/app#7 [high]
    `,
  );
});

test('who set it off approved it, and nobody else', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada    starts run 7 of release in acme/app at c1
    09:01  ada    requests review of run 7 for production
    09:02  ada    approves run 7 for production
    09:03  ada    starts job deploy of run 7 (to production)   ← FOUND acme/app#7 [low/high]
    10:00  ada    starts run 8 of release in acme/app at c2
    10:01  ada    requests review of run 8 for production
    10:02  ada    approves run 8 for production
    10:02  carol  approves run 8 for production
    10:03  ada    starts job deploy of run 8 (to production)
    `,
  );
  expect(findings).toHaveLength(1);
});

test('whoever approved another’s run and ran it again when it failed approved it rightly', () => {
  expectTimeline(
    rule,
    `
    09:00  ada    starts run 7 of release in acme/app at c1
    09:01  ada    requests review of run 7 for production
    09:02  carol  approves run 7 for production
    09:03  ada    starts job deploy of run 7 (to production)
    09:20  carol  starts run 7 of release in acme/app at c1 (attempt 2)
    `,
  );
});

test('the gate was taken away: one finding, however many runs follow', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00         ada      starts run 7 of release in acme/app at c1
    09:01         ada      requests review of run 7 for production
    09:02         carol    approves run 7 for production
    09:03         ada      starts job deploy of run 7 (to production)
    day 2  09:00  mallory  starts run 8 of release in acme/app at c2
    day 2  09:01  mallory  starts job deploy of run 8 (to production)
    day 2  09:11  ada      pushes c2 to acme/other main                ← FOUND acme/app@production [medium/medium]
    day 3  09:00  ada      starts run 9 of release in acme/app at c3
    day 3  09:01  ada      starts job deploy of run 9 (to production)
    day 3  09:20  ada      pushes c4 to acme/other main
    `,
  );
  expect(findings).toHaveLength(1);
  expect(findings[0]!.evidence.length).toBeGreaterThanOrEqual(3);
});

test('honest work: reviewed by another, no gate at all, a gate of staging, one decision for two', () => {
  expectTimeline(
    rule,
    `
    09:00  ada    starts run 7 of release in acme/app at c1
    09:01  ada    requests review of run 7 for staging
    09:01  ada    requests review of run 7 for production
    09:02  carol  approves run 7 for staging (and production)
    09:03  ada    starts job try of run 7 (to staging)
    09:04  ada    starts job deploy of run 7 (to production)
    09:05  ada    finishes job deploy of run 7 (to production)
    10:00  ada    starts run 8 of release in acme/free at c1
    10:01  ada    starts job deploy of run 8 (to production)
    11:00  ada    starts run 9 of release in acme/app at c2
    11:01  ada    requests review of run 9 for staging
    11:02  ada    starts job try of run 9 (to staging)
    `,
  );
});

test('an environment that you call production', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  requests review of run 7 for Live
    09:02  mallory  starts job deploy of run 7 (to Live)
    09:12  ada      pushes c2 to acme/other main            ← FOUND acme/app#7 [high]
    `,
    { settings: { 'deployment-gate-bypassed': { environments: ['live'] } } },
  );
});

test('decoys: a flood of jobs and requests leaves what is found standing', () => {
  const many = Array.from({ length: 90 }, (_, at) => {
    const minute = String(10 + Math.floor(at / 60)) + ':' + String(at % 60).padStart(2, '0');
    return `day 2  ${minute}  eve  starts run ${100 + at} of release in acme/app at c1
    day 2  ${minute}  eve  requests review of run ${100 + at} for production`;
  });
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  requests review of run 7 for production
    09:02  mallory  starts job deploy of run 7 (to production)
    09:12  ada      pushes c2 to acme/other main            ← FOUND acme/app#7 [high]
    ${many.join('\n    ')}
    `,
    { anyOrder: false },
  );
});

test('Tripline’s gate rejected it, or had not decided, and the job began: found at once, in any environment', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  github   asks the gate about run 7 for staging
    09:01  broker   answers the gate about run 7 for staging with denied
    09:02  mallory  starts job try of run 7 (to staging)                       ← FOUND acme/app#7 [high/high]
    09:03  mallory  starts run 8 of release in acme/app at c2
    09:04  github   asks the gate about run 8 for staging (without a deployment)
    09:05  mallory  starts job try of run 8 (to staging)                       ← FOUND acme/app#8 [high/high]
    `,
  );
  expect(findings.map(({ title }) => title)).toEqual([
    'Run 7 of acme/app deployed to staging though Tripline’s gate rejected it',
    'Run 8 of acme/app deployed to staging before Tripline’s gate had approved it',
  ]);
  expect(findings[0]!.response).toMatchObject([{ action: 'stop-run', runId: '7', repository: 'acme/app' }]);
});

test('an approval of one attempt is none of the next, and what it waited for is no approval', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      starts run 7 of release in acme/app at c1
    09:01  github   asks the gate about run 7 for production
    09:01  broker   answers the gate about run 7 for production with granted
    09:02  ada      starts job deploy of run 7 (to production)
    10:00  mallory  starts run 7 of release in acme/app at c1 (attempt 2)
    10:01  github   asks the gate about run 7 for production
    10:01  broker   answers the gate about run 7 for production with pending (attempt 2)
    10:02  mallory  starts job deploy of run 7 (to production)                 ← FOUND acme/app#7 [high/high]
    `,
  );
});

test('honest work at Tripline’s gate: approved at once or after waiting, twice in one run, again at the next attempt, dry runs, and nobody behind it', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      starts run 7 of release in acme/app at c1
    09:01  github   asks the gate about run 7 for production
    09:01  broker   answers the gate about run 7 for production with pending
    09:20  broker   answers the gate about run 7 for production with granted
    09:21  ada      starts job deploy of run 7 (to production)
    09:30  github   asks the gate about run 7 for production
    09:30  broker   answers the gate about run 7 for production with granted
    09:31  ada      starts job migrate of run 7 (to production)
    10:00  ada      starts run 7 of release in acme/app at c1 (attempt 2)
    10:01  github   asks the gate about run 7 for production
    10:01  broker   answers the gate about run 7 for production with granted (attempt 2)
    10:02  ada      starts job deploy of run 7 (to production)
    11:00  ada      starts run 8 of release in acme/app at c2
    11:01  github   asks the gate about run 8 for production
    11:01  broker   answers the gate about run 8 for production with denied
    12:00  ada      starts run 9 of release in acme/dry at c2
    12:01  github   asks the gate about run 9 for production
    12:01  broker   answers the gate about run 9 for production with denied (in a dry run)
    12:02  ada      starts job deploy of run 9 (to production)
    13:00  ada      starts run 10 of release in acme/new at c2
    13:01  github   asks the gate about run 10 for production
    13:02  ada      starts job deploy of run 10 (to production)
    `,
  );
});

test('approved for an environment whose name has a sign that looks like a k is not approved for the one with a k', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  requests review of run 7 for kube
    09:01  mallory  requests review of run 7 for \u212Aube
    09:02  eve      approves run 7 for \u212Aube
    09:03  mallory  starts job deploy of run 7 (to kube)
    09:13  ada      pushes c2 to acme/other main                 ← FOUND acme/app#7
    `,
    { settings: { 'deployment-gate-bypassed': { environments: ['Kube'] } } },
  );
});

test('an environment that the settings name in other capitals beyond A to Z is watched', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  requests review of run 7 for ÖSTERREICH
    09:03  mallory  starts job deploy of run 7 (to ÖSTERREICH)
    09:13  ada      pushes c2 to acme/other main                 ← FOUND acme/app#7
    `,
    { settings: { 'deployment-gate-bypassed': { environments: ['Österreich'] } } },
  );
});
