import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './minted-for-no-job.ts';

test('a mint for a run that nobody heard of, or for an attempt of it', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  mints g1 for run 7 of acme/app (token h1)
    09:11  nothing happens                                   ← FOUND access:g1 [medium/high]
    `,
  );
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-grant', provider: 'tripline', grant: 'access', of: 'run', name: 'acme/app#7' },
  ]);
  expectTimeline(
    rule,
    `
    08:58  ada  starts run 7 of deploy in acme/app at c1
    09:00  ada  mints g1 for run 7 of acme/app (attempt 2)
    09:11  nothing happens                                   ← FOUND access:g1
    `,
  );
});

test('a run that is told, before or after, is one; one that is told late takes it back', () => {
  expectTimeline(
    rule,
    `
    08:58  ada  starts run 7 of deploy in acme/app at c1
    09:00  ada  mints g1 for run 7 of acme/app
    09:20  ada  mints g2 for run 8 of acme/app
    09:21  ada  starts run 8 of deploy in acme/app at c1
    09:40  nothing happens
    `,
  );
  expectTimeline(
    rule,
    `
    08:58  ada  starts run 7 of deploy in acme/app at c1 (heard 09:30)   ← RETRACTED access:g1
    09:00  ada  mints g1 for run 7 of acme/app
    09:12  nothing happens                                                ← FOUND access:g1
    `,
  );
});
