import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './credential-use-outside-job.ts';

const settings = {
  'credential-use-outside-job': { credentials: [{ token: 'h1', secrets: ['acme/app/DEPLOY_PAT'] }] },
};
test('used in a job, after it, and never given to one', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:02  ada      hands DEPLOY_PAT,NPM to job deploy of acme/app (in run 7)
    09:05  ci       uses token h1 in acme/app (for git.push)
    09:15  ci       uses token h1 in acme/app (for git.push)
    16:05  mallory  uses token h1 in acme/app (for repo.create; from 203.0.113.7)
    16:06  mallory  uses token h1 in acme (for org.list)
    17:30  nothing happens                                                          ← FOUND h1 [critical/high]
    `,
    { settings },
  );
  expect(findings[0]!.evidence).toHaveLength(2);
  expect(findings[0]!.response).toMatchObject([
    { action: 'rotate-secret', repository: 'acme/app', secret: 'DEPLOY_PAT' },
  ]);
});

test('a long job, one that is told late, another token, and all while nothing is configured, are work', () => {
  expectTimeline(
    rule,
    `
    09:02  ada  hands DEPLOY_PAT to job deploy of acme/app (in run 8)
    14:00  ci   uses token h1 in acme/app
    14:01  bob  uses token h2 in acme/app
    `,
    { settings },
  );
  expectTimeline(
    rule,
    `
    09:02  ada  hands deploy_pat to job deploy of acme/app (in run 8; heard 09:40)
    09:05  ci   uses token h1 in acme/app
    `,
    { settings },
  );
  expectTimeline(rule, '09:05  mallory  uses token h1 in acme/app');
});

test('a job that is told hours late takes it back', () => {
  expectTimeline(
    rule,
    `
    09:02  ada  hands DEPLOY_PAT to job deploy of acme/app (in run 8; heard 13:00)    ← RETRACTED h1
    09:05  ci   uses token h1 in acme/app
    11:00  nothing happens                                                             ← FOUND h1
    `,
    { settings, anyOrder: false },
  );
});

test('a flood of uses before and after stands beside it, and changes nothing', () => {
  const noise = Array.from(
    { length: 40 },
    (_, nth) => `12:${String(nth + 10)}  mallory  uses token h1 in acme/app (from 198.51.100.${nth})`,
  );
  expectTimeline(
    rule,
    ['12:05  mallory  uses token h1 in acme/app', ...noise, '14:00  nothing happens   ← FOUND h1 [critical/high]'].join(
      '\n',
    ),
    { settings, anyOrder: false },
  );
});
