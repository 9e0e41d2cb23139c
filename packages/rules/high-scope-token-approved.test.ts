import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './high-scope-token-approved.ts';
import { rule as wider } from './privilege-grant-outside-job.ts';

const subject = 'personal-access-token:bob@acme';

test('a token that may change workflows is found, and can be revoked', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  bob  asks for token t1 on acme (to workflows)
    09:05  ada  approves token t1 of bob on acme (to workflows)    ← FOUND ${subject} [medium/high]
    `,
  );
  expect(findings[0]!.title).toBe('ada approved a token of bob on acme that may write workflows');
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-credential', credential: 'personal-access-token', organization: 'acme', user: 'bob' },
  ]);
  expect(findings[0]!.evidence).toHaveLength(2);
});

test('one that writes contents everywhere and never ends is medium, too; each token is one finding', () => {
  expectTimeline(
    rule,
    `
    09:05  ada  approves token t1 of bob on acme (to contents)    ← FOUND ${subject} [medium/high]
    09:06  ada  approves token t2 of bob on acme (to issues)      ← FOUND ${subject} [medium/high]
    `,
  );
});

test('a token that only reads, a request, a key and a member are not its matter', () => {
  expectTimeline(
    rule,
    `
    09:00  bob  asks for token t1 on acme (to contents)
    09:05  ada  approves token t2 of bob on acme
    09:06  ada  gives bob admin on acme/app
    09:07  ada  adds deploy key k to acme/app
    `,
  );
});

test('it speaks for the wider rule, also where that one pages', () => {
  const settings = {
    'privilege-grant-outside-job': {
      grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
      grantingActors: ['broker[bot]'],
    },
  };
  settings['high-scope-token-approved' as keyof typeof settings] = settings['privilege-grant-outside-job'];
  const { findings, superseded } = expectTimeline(
    [wider, rule],
    `
    09:05  ada  approves token t1 of bob on acme (to contents)    ← FOUND privilege-grant-outside-job ${subject} [high]; FOUND high-scope-token-approved ${subject} [high]
    `,
    { settings },
  );
  const [wide, narrow] = findings;
  expect(superseded.get(wide!.id)).toBe(narrow!.id);
});

test('others crowd it out of nothing', () => {
  const noise = Array.from(
    { length: 9 },
    (_, nth) => `10:${String(nth).padStart(2, '0')}  mallory  approves token n${nth} of eve on acme`,
  );
  expectTimeline(
    rule,
    [`09:05  ada  approves token t1 of bob on acme (to secrets)    ← FOUND ${subject}`, ...noise].join('\n'),
  );
});
