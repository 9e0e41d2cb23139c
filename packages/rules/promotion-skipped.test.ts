import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './promotion-skipped.ts';

const settings = { 'promotion-skipped': { production: ['production'], staging: ['staging', 'canary'] } };

test('deployed to production by a run, never to staging', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  reports deployment of run 7 to production (state in_progress)
    09:03  ada      deploys c9 of acme/other to dev                                ← FOUND acme/app@c1 [high/high]
    09:05  mallory  reports deployment of run 7 to production
    `,
    { settings },
  );
  expect(findings[0]!.response).toMatchObject([
    { action: 'reject-deployment', runId: '7', environment: 'production' },
    { action: 'stop-run', runId: '7' },
  ]);
});

test('by the API, without a run; another commit in staging does not count', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      starts run 7 of release in acme/app at c1
    09:01  ada      reports deployment of run 7 to staging
    09:05  mallory  deploys c2 of acme/app to production
    09:07  ada      deploys c9 of acme/other to dev              ← FOUND acme/app@c2 [high]
    `,
    { settings },
  );
});

test('a person’s word that it ran in staging does not count for what a run deploys', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  deploys c1 of acme/app to staging (with success)
    09:05  mallory  reports deployment of run 7 to production (state in_progress)
    09:07  ada      deploys c9 of acme/other to dev                                ← FOUND acme/app@c1 [high]
    `,
    { settings },
  );
  expectTimeline(
    rule,
    `
    09:00  argo[bot]  deploys c1 of acme/app to staging (with success)
    09:04  mallory    starts run 7 of release in acme/app at c1
    09:05  mallory    reports deployment of run 7 to production (state in_progress)
    10:00  ada        deploys c2 of acme/app to staging (with success)
    10:05  ada        deploys c2 of acme/app to production
    `,
    { settings },
  );
});

test('staging that failed, or succeeded only afterwards, does not count; one that is received late does', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of release in acme/app at c1
    09:01  ada  reports deployment of run 7 to staging (state failure)
    09:05  ada  reports deployment of run 7 to production (state in_progress)
    09:07  ada  deploys c9 of acme/other to dev                                ← FOUND acme/app@c1
    09:10  ada  reports deployment of run 7 to staging
    `,
    { settings },
  );
  expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of release in acme/app at c1
    09:05  ada  reports deployment of run 7 to production (state in_progress)
    09:07  ada  deploys c9 of acme/other to dev                                ← FOUND acme/app@c1
    09:04  ada  reports deployment of run 7 to staging (heard 10:00)           ← RETRACTED acme/app@c1
    `,
    { settings },
  );
});

test('honest work: staging first, in one run or weeks before, under any of its names', () => {
  expectTimeline(
    rule,
    `
    09:00          ada  starts run 7 of release in acme/app at c1
    09:01          ada  reports deployment of run 7 to Staging (state in_progress)
    09:04          ada  reports deployment of run 7 to Staging
    09:04          ada  reports deployment of run 7 to production (state in_progress)
    09:05          ada  reports deployment of run 7 to production
    10:00          ada  deploys c3 of acme/app to dev
    11:00          ada  starts run 8 of release in acme/app at c4
    11:01          ada  reports deployment of run 8 to canary
    day 20  11:00  ada  starts run 9 of release in acme/app at c4
    day 20  11:01  ada  reports deployment of run 9 to production (state in_progress)
    `,
    { settings },
  );
});

test('finds nothing until it is told which environments come before which', () => {
  const story = `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  reports deployment of run 7 to production
    `;
  expectTimeline(rule, story);
  expectTimeline(rule, story, { settings: { 'promotion-skipped': { production: ['production'] } } });
});

test('many deployments beside it push nothing out', () => {
  const noise = Array.from({ length: 95 }, (_, at) => {
    const time = `${10 + Math.floor(at / 60)}:${String(at % 60).padStart(2, '0')}`;
    return `    ${time}  eve  deploys c1 of acme/app to preview-${at}`;
  });
  expectTimeline(
    rule,
    `
    09:00  mallory  deploys c1 of acme/app to production
    09:02  ada      deploys c9 of acme/other to dev       ← FOUND acme/app@c1
${noise.join('\n')}
    `,
    { settings, anyOrder: false },
  );
});

test('by policies of the repository: the environments from which they promote, in force when it was deployed', () => {
  const { findings } = expectTimeline(
    rule,
    `
    08:00          broker   promotes to live of acme/app (from canary)
    09:00          mallory  starts run 7 of release in acme/app at c1
    09:01          mallory  reports deployment of run 7 to staging
    09:05          mallory  reports deployment of run 7 to Live (state in_progress)
    09:08          ada      deploys c9 of acme/other to dev                                          ← FOUND acme/app@c1 [high/high]
    10:00          ada      starts run 8 of release in acme/app at c2
    10:01          ada      reports deployment of run 8 to canary
    10:05          ada      reports deployment of run 8 to live (state in_progress)
    `,
  );
  expect(findings[0]!.title).toContain('was deployed to Live without canary');
});

test('honest work: what policies let in without, before they said otherwise, in another repository, or by a person’s settings', () => {
  expectTimeline(
    rule,
    `
    08:00          broker  promotes to production of acme/app (from anywhere)
    09:00          ada     starts run 7 of release in acme/app at c1
    09:05          ada     reports deployment of run 7 to production (state in_progress)
    09:08          ada     deploys c9 of acme/other to dev
    day 2  08:00   broker  promotes to production of acme/app (from staging)
    day 2  09:00   ada     deploys c3 of acme/third to production
    day 2  09:05   ada     deploys c9 of acme/other to dev
    day 2  09:10   ada     reports deployment of run 7 to production
    `,
    { settings: { 'promotion-skipped': { production: ['production'] } } },
  );
});

test('an environment without a policy, or one that is gone, is judged by the settings', () => {
  expectTimeline(
    rule,
    `
    08:00          broker   promotes to production of acme/app (from anywhere)
    09:00          mallory  deploys c3 of acme/third to production
    09:05          ada      deploys c9 of acme/other to dev                                           ← FOUND acme/third@c3
    day 2  08:00   broker   promotes to production of acme/app
    day 2  09:00   mallory  deploys c4 of acme/app to production
    day 2  09:05   ada      deploys c9 of acme/other to dev                                           ← FOUND acme/app@c4
    `,
    { settings },
  );
});

test('a status that names another environment than the one before it hides nothing', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  reports deployment of run 7 to dev (state in_progress)
    09:02  mallory  reports deployment of run 7 to production
    09:05  ada      deploys c9 of acme/other to dev                          ← FOUND acme/app@c1
    `,
    { settings },
  );
});

test('policies that became stricter are held against the next deployment, however soon it is; against none before', () => {
  expectTimeline(
    rule,
    `
    08:00          broker   promotes to production of acme/app (from anywhere)
    09:00          mallory  deploys c3 of acme/app to production
    09:01          broker   promotes to production of acme/app (from staging)
    09:02          mallory  deploys c4 of acme/app to production
    09:05          ada      deploys c9 of acme/other to dev                     ← FOUND acme/app@c4
    `,
  );
});

test('an environment that somebody names with a sign that looks like a k is another one: no proof, and nothing that policies speak of', () => {
  const kelvin = '\u212A';
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of release in acme/app at c1
    09:01  mallory  reports deployment of run 7 to ${kelvin}ube-test
    09:05  mallory  reports deployment of run 7 to kube (state in_progress)
    09:08  ada      deploys c9 of acme/other to dev                           ← FOUND acme/app@c1
    `,
    { settings: { 'promotion-skipped': { production: ['Kube'], staging: ['Kube-test'] } } },
  );
  expectTimeline(
    rule,
    `
    08:00  broker  promotes to kube of acme/app (from staging)
    09:00  ada     starts run 7 of release in acme/app at c1
    09:05  ada     reports deployment of run 7 to ${kelvin}ube (state in_progress)
    09:08  ada     deploys c9 of acme/other to dev
    `,
  );
});

test('a production that is named in letters beyond A to Z is watched in whatever capitals, and a success elsewhere in them is no proof', () => {
  const settings = { 'promotion-skipped': { production: ['Österreich'], staging: ['Österreich-Test'] } };
  expectTimeline(
    rule,
    `
    09:00  mallory  deploys c3 of acme/app to ÖSTERREICH
    09:05  mallory  deploys c4 of acme/app to o\u0308sterreich         ← FOUND acme/app@c3
    09:10  ada      deploys c9 of acme/other to dev                   ← FOUND acme/app@c4
    `,
    { settings },
  );
  expectTimeline(
    rule,
    `
    08:00  mallory  deploys c3 of acme/app to ÖSTERREICH-TEST
    09:00  mallory  deploys c3 of acme/app to Österreich
    09:05  ada      deploys c9 of acme/other to dev                   ← FOUND acme/app@c3
    `,
    { settings },
  );
  expectTimeline(
    rule,
    `
    08:00  ada      deploys c3 of acme/app to ÖSTERREICH-test
    09:00  ada      deploys c3 of acme/app to wien
    09:05  ada      deploys c9 of acme/other to dev
    `,
    { settings },
  );
  expectTimeline(
    rule,
    `
    09:00  ada      deploys c3 of acme/app to STRASSE
    09:05  ada      deploys c9 of acme/other to dev                   ← FOUND acme/app@c3
    `,
    { settings: { 'promotion-skipped': { production: ['Straße'], staging: ['Weg'] } } },
  );
});

test('honest work: staging whose name differs from production’s in its accents alone', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      starts run 7 of release in acme/app at c3
    09:01  ada      reports deployment of run 7 to Sud
    09:05  ada      reports deployment of run 7 to Süd (state in_progress)
    09:06  ada      deploys c4 of acme/app to Sud
    09:10  ada      deploys c9 of acme/other to dev
    `,
    { settings: { 'promotion-skipped': { production: ['Süd'], staging: ['Sud'] } } },
  );
});
