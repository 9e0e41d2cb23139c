import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './token-not-minted-by-broker.ts';

const settings = { 'token-not-minted-by-broker': { apps: ['acme-access[bot]', 'old-broker:4711'] } };

test('a token that no mint names, used by the broker’s App', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada               mints g1 for run 7 of acme/app (token h1)
    09:01  acme-access[bot]  uses token h1 in acme/app
    09:02  Acme-Access[bot]  uses token h9 in acme/app (for repo.destroy; from 203.0.113.7)   ← FOUND h9 [critical/high]
    09:03  acme-access[bot]  uses token h9 in acme (for org.add_member)
    `,
    { settings },
  );
  expect(findings[0]!.evidence).toHaveLength(2);
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-grant', grant: 'app-installation', organization: 'acme', app: 'Acme-Access' },
  ]);
});

test('other Apps, people, tokens that were minted, and all while nothing is configured, are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada               mints g1 for run 7 of acme/app (token h1)
    09:01  acme-access[bot]  uses token h1 in acme/app
    09:02  renovate[bot]     uses token h2 in acme/app
    09:03  ada               uses token h3 in acme/app
    `,
    { settings },
  );
  expectTimeline(rule, '09:00  acme-access[bot]  uses token h9 in acme/app');
});

test('a mint that is received later takes it back', () => {
  expectTimeline(
    rule,
    `
    09:00  ada               mints g1 for run 7 of acme/app (token h1; heard 09:10)   ← RETRACTED h1
    09:01  acme-access[bot]  uses token h1 in acme/app                                ← FOUND h1
    `,
    { settings },
  );
});

test('tokens by the dozen are found each, whatever stands beside them', () => {
  const stolen = Array.from({ length: 12 }, (_, nth) => {
    const minute = String(nth + 10);
    return `09:${minute}  acme-access[bot]  uses token x${nth} in acme/app   ← FOUND x${nth} [critical]`;
  });
  expectTimeline(rule, stolen.join('\n'), { settings, anyOrder: false });
});
