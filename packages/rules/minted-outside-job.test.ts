import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './credential-use-outside-job.ts';
import { rule as notMinted } from './token-not-minted-by-broker.ts';

/** Then uses that are received before their mint are kept, so that it holds in any order. */
const settings = { 'token-not-minted-by-broker': { apps: ['acme-access[bot]'] } };
const rules = [rule, notMinted];

test('used after its job from elsewhere: critical; from where the job was: high', () => {
  const { findings } = expectTimeline(
    rules,
    `
    09:00     ada               mints g1 for run 7 of acme/app (token h1; from 192.0.2.10)
    09:01     acme-access[bot]  uses token h1 in acme/app (for git.push; from 192.0.2.10)
    09:05     ada               revokes g1 (token h1)
    09:05:40  acme-access[bot]  uses token h1 in acme/app (for git.push; from 192.0.2.11)
    09:20     acme-access[bot]  uses token h1 in acme/app (for repo.create; from 203.0.113.7)  ← FOUND credential-use-outside-job h1 [critical/high]
    `,
    { settings },
  );
  expect(findings[0]!.occasion).toBe('g1');
  const [run] = findings[0]!.entities.filter(({ kind }) => kind === 'run');
  expect(findings[0]!.response).toEqual([
    {
      ...{ action: 'revoke-grant', provider: 'tripline', instance: 'github.com', grant: 'access' },
      ...{ of: 'run', key: run!.key, name: 'acme/app#7' },
    },
  ]);
  expect(findings[0]!.evidence.map(({ what }) => what)).toEqual([
    'the broker minted a github credential for a job of acme/app#7, by policy deploy',
    'it was revoked, since its job had ended',
    'it was used as acme-access[bot] for repo.create from 203.0.113.7',
  ]);
  expectTimeline(
    rules,
    `
    09:00  ada               mints g1 for run 7 of acme/app (token h1; from 192.0.2.10)
    09:05  ada               revokes g1
    09:20  acme-access[bot]  uses token h1 in acme/app (from 192.0.2.77)   ← FOUND credential-use-outside-job h1 [high]
    `,
    { settings },
  );
});

test('what could not be revoked, what expired, and what was used before it was minted, is outside too', () => {
  expectTimeline(
    rules,
    `
    09:00  ada               mints g1 for run 7 of acme/app (token h1)
    09:05  ada               cannot revoke g1 (token h1)
    09:20  acme-access[bot]  uses token h1 in acme/app   ← FOUND credential-use-outside-job h1 [high]
    09:40  ada               revokes g1 (token h1)
    `,
    { settings },
  );
  expectTimeline(
    rules,
    `
    09:00  ada               mints g1 for run 7 of acme/app (token h1; for 60)
    10:05  acme-access[bot]  uses token h1 in acme/app   ← FOUND credential-use-outside-job h1 [high]
    `,
    { settings },
  );
  expectTimeline(
    rules,
    `
    08:50  acme-access[bot]  uses token h1 in acme/app (heard 09:01)   ← FOUND credential-use-outside-job h1 [high]
    09:00  ada               mints g1 for run 7 of acme/app (token h1)
    `,
    { settings },
  );
});

test('used by its job until the end, and another credential of the same grant, is what it is for', () => {
  expectTimeline(
    rules,
    `
    09:00     ada               mints g1 for run 7 of acme/app (token h1; from 192.0.2.10)
    09:00     ada               mints g1 for run 7 of acme/app (kind vault)
    09:02     ada               revokes g1 (kind vault)
    09:03     acme-access[bot]  uses token h1 in acme/app (from 192.0.2.10)
    09:04     acme-access[bot]  uses token h1 in acme/app (from 198.51.100.3)
    09:05     ada               revokes g1 (token h1)
    09:05:30  acme-access[bot]  uses token h1 in acme/app (from 192.0.2.10)
    09:30     ada               mints g2 for run 8 of acme/app (token h2; from 192.0.2.10)
    09:31     acme-access[bot]  uses token h2 in acme/app (from 192.0.2.10)
    `,
    { settings },
  );
});

test('a flood of uses while the job runs hides none after it', () => {
  const noise = Array.from(
    { length: 200 },
    (_, nth) =>
      `09:${String(1 + Math.floor(nth / 50)).padStart(2, '0')}:${String(nth % 50).padStart(2, '0')}  acme-access[bot]  uses token h1 in acme/app (from 198.51.${nth}.1)`,
  );
  expectTimeline(
    rules,
    [
      '09:00  ada  mints g1 for run 7 of acme/app (token h1; from 192.0.2.10)',
      ...noise,
      '09:06  ada  revokes g1',
      '09:20  acme-access[bot]  uses token h1 in acme/app (from 203.0.113.7)   ← FOUND credential-use-outside-job h1 [critical]',
    ].join('\n'),
    { settings, anyOrder: false },
  );
});
