import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './token-bulk-clone.ts';

const clones = (who: string, token: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, nth) => {
    const seconds = 20 * nth;
    const time = `${String(9 + Math.floor(seconds / 3600)).padStart(2, '0')}:${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
    return `${time}  ${who}  clones acme/app-${nth + from} with token ${token}`;
  });
const five = { settings: { 'token-bulk-clone': { repositories: 5 } } };

test('a token that reads five repositories within six minutes, and not four', () => {
  const { findings } = expectTimeline(
    rule,
    `${clones('ada', 't1', 5).join('\n')} ← FOUND token t1 [critical/high]`,
    five,
  );
  expect(findings[0]!.title).toBe('ada cloned 5 repositories within 6 minutes');
  expect(findings[0]!.entities[0]).toEqual({ kind: 'credential', id: 't1' });
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-credential', credential: 'credential-authorization', organization: 'acme', user: 'ada' },
  ]);
  expectTimeline(rule, clones('ada', 't1', 4).join('\n'), five);
});

test('of an app, which has no tokens of this kind, nothing is taken', () => {
  const { findings } = expectTimeline(
    rule,
    `${clones('backup[bot]', 't1', 5).join('\n')} ← FOUND token t1 [critical/high]`,
    five,
  );
  expect(findings[0]!.response).toEqual([]);
});

test('ten by default; a job of four, a colleague with another token, and the same ones again are work', () => {
  expectTimeline(rule, clones('ada', 't1', 9).join('\n'));
  expectTimeline(
    rule,
    `
    09:00  ada  clones acme/app with token t1
    09:01  ada  clones acme/lib with token t1
    09:02  bob  clones acme/web with token t2
    09:03  bob  clones acme/api with token t2
    09:04  ada  clones acme/app with token t1
    09:05  ada  clones acme/lib with token t1
    09:12  ada  clones acme/web with token t1
    `,
    { settings: { 'token-bulk-clone': { repositories: 3 } } },
  );
});

test('a mirror has a number of its own, by its login or its token', () => {
  for (const quotas of [{ mirror: 50 }, { t9: 50 }]) {
    const settings = { 'token-bulk-clone': { repositories: 3, quotas } };
    expectTimeline(rule, clones('mirror', 't9', 6).join('\n'), { settings });
  }
});

test('a read that names no token is the account’s', () => {
  const before = [0, 1, 2].map((nth) =>
    at(
      Date.parse('2026-03-10T09:00:00Z') + nth * 1000,
      'dev.cdeventsx.tripline-repository.read',
      {
        ...{ 'vcs.repository.name': `acme/app-${nth}`, 'user.name': 'mallory', 'user.id': '9' },
      },
      { id: `read-${nth}` },
    ),
  );
  const settings = { 'token-bulk-clone': { repositories: 3 } };
  expect(() => expectTimeline(rule, '09:00  nothing happens', { settings, before })).toThrow(/FOUND account 9/);
});

test('a login that is a word of the language is a login', () => {
  const clones = Array.from(
    { length: 10 },
    (_, nth) => `09:0${nth % 5}  constructor  clones acme/r${nth} with token t1`,
  );
  expectTimeline(rule, `${clones.join('\n')}   ← FOUND token t1`, { anyOrder: false });
});
