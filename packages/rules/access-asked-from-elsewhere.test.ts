import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './access-asked-from-elsewhere.ts';

test('one job from two networks; high where the policy says that its jobs run elsewhere', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  is granted deploy in run 7 of acme/app (job 71; from 192.0.2.10)
    09:01  ada  is granted deploy in run 7 of acme/app (job 71; from 203.0.113.7)   ← FOUND acme/app#7 [medium/medium]
    `,
  );
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  is granted deploy in run 7 of acme/app (job 71; from 192.0.2.10)
    09:01  ada  is denied deploy in run 7 of acme/app (job 71; from 203.0.113.7; for network, ref)   ← FOUND acme/app#7 [high/medium]
    `,
  );
  expect(findings[0]!.response).toMatchObject([
    { action: 'stop-run', repository: 'acme/app', runId: '7' },
    { action: 'revoke-grant', provider: 'tripline', grant: 'access', of: 'run', name: 'acme/app#7' },
  ]);
});

test('other jobs and attempts, one network, and both families of one machine, are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  is granted deploy in run 7 of acme/app (job 71; from 192.0.2.10)
    09:01  ada  is granted backup in run 7 of acme/app (job 71; from 192.0.2.77)
    09:02  ada  is granted deploy in run 7 of acme/app (job 72; from 203.0.113.7)
    09:03  ada  is granted deploy in run 7 of acme/app (job 71; attempt 2; from 198.51.100.7)
    09:04  ada  is granted deploy in run 7 of acme/app (job 71; from 2001:db8:1::7)
    09:05  ada  is granted deploy in run 7 of acme/app (from 203.0.113.7)
    09:06  ada  is granted deploy in run 7 of acme/app (from 198.51.100.7)
    `,
  );
});
