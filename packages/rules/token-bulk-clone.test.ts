import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './token-bulk-clone.ts';

const clones = (who: string, token: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, nth) => {
    const seconds = 20 * nth;
    const time = `${String(9 + Math.floor(seconds / 3600)).padStart(2, '0')}:${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
    return `${time}  ${who}  clones acme/app-${nth + from} with token ${token}`;
  });
const of = (settings: object) => ({ settings: { 'token-bulk-clone': { learnMs: 0, ...settings } } });
const five = of({ repositories: 5 });

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

test('what is public is anybody’s to clone: whoever does names no repository of the house', () => {
  const open = clones('mallory', 't1', 12).map((line) => `${line} (saying repository_public true)`);
  expectTimeline(rule, open.join('\n'), five);
  const four = clones('mallory', 't1', 4, 20);
  expectTimeline(rule, [...open.slice(4), ...four].toSorted().join('\n'), five);
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
    of({ repositories: 3 }),
  );
});

test('a mirror has a number of its own, by its login or its token', () => {
  for (const quotas of [{ mirror: 50 }, { t9: 50 }]) {
    expectTimeline(rule, clones('mirror', 't9', 6).join('\n'), of({ repositories: 3, quotas }));
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
  expect(() => expectTimeline(rule, '09:00  nothing happens', { ...of({ repositories: 3 }), before })).toThrow(
    /FOUND account 9/,
  );
});

test('a login that is a word of the language is a login', () => {
  const clones = Array.from(
    { length: 10 },
    (_, nth) => `09:0${nth % 5}  constructor  clones acme/r${nth} with token t1`,
  );
  expectTimeline(rule, `${clones.join('\n')}   ← FOUND token t1`, { anyOrder: false });
});

describe('what is taken again and again', () => {
  /** One pass over repositories, a line each, a second apart; `mark` stands at the line of the third. */
  const pass = (
    when: string,
    more: { mark?: string; how?: string; who?: string; token?: string; names?: readonly string[] } = {},
  ) => {
    const { mark, how = '(from 198.51.100.40)', who = 'mirror', token = 't9', names = ['a', 'b', 'c', 'd'] } = more;
    return names
      .map((name, nth) => {
        const found = mark !== undefined && nth === 2 ? `   ← FOUND ${mark}` : '';
        return `${when}:0${nth}  ${who}  clones acme/${name} with token ${token} ${how}${found}`;
      })
      .join('\n');
  };
  const three = of({ repositories: 3 });
  const first = pass('09:00', { mark: 'token t9 [critical]' });

  test('is told of once: the same again from there is a mirror’s', () => {
    expectTimeline(rule, [first, pass('day 5  09:00'), pass('day 9  09:00')].join('\n'), three);
    const nights = [2, 3, 4, 5, 6].map((day) => pass(`day ${day}  09:00`));
    expectTimeline(rule, [first, ...nights].join('\n'), { ...three, anyOrder: false });
  });

  test('in another order, faster, and with another token, is the mirror’s too', () => {
    const names = ['d', 'b', 'c', 'a'];
    expectTimeline(rule, [first, pass('day 5  09:00', { names, token: 't10' })].join('\n'), three);
  });

  test('from another network is found, and by somebody else from the same', () => {
    const stolen = pass('day 5  09:00', { how: '(from 203.0.113.9)', mark: 'token t9 [critical]' });
    expectTimeline(rule, [first, stolen].join('\n'), three);
    const other = pass('day 5  09:00', { who: 'mallory', token: 't1', mark: 'token t1 [critical]' });
    expectTimeline(rule, [first, other].join('\n'), three);
  });

  test('with others is found: what was not taken so before counts, however much of it was', () => {
    const names = ['a', 'b', 'x', 'c', 'y', 'd', 'z'];
    const more = pass('day 5  09:00', { names }).replace(/$/, '   ← FOUND token t9 [critical]');
    expectTimeline(rule, [first, more].join('\n'), three);
    // One or two new ones a day belong to it from then on.
    const grown = [
      pass('day 5  09:00', { names: ['x', 'a', 'b', 'c', 'd', 'y'] }),
      pass('day 9  09:00', { names: ['x', 'y', 'z', 'a', 'b', 'c', 'd'] }),
    ];
    expectTimeline(rule, [first, ...grown].join('\n'), three);
  });

  test('is nobody’s habit where it was never told of: whoever read few at a time takes all of it at once', () => {
    const slowly = [0, 10, 20, 30].map((minute, nth) =>
      pass(`09:${String(minute).padStart(2, '0')}`, { names: [['a', 'b', 'c', 'd'][nth]!] }),
    );
    const all = pass('day 5  09:00', { mark: 'token t9 [critical]' });
    expectTimeline(rule, [...slowly, all].join('\n'), three);
  });

  test('is forgotten after a month and a half, at the earliest', () => {
    expectTimeline(rule, [first, pass('day 40  09:00'), pass('day 80  09:00')].join('\n'), {
      ...three,
      anyOrder: false,
    });
    expectTimeline(rule, [first, pass('day 80  09:00', { mark: 'token t9 [critical]' })].join('\n'), {
      ...three,
      anyOrder: false,
    });
  });

  test('where nobody says from where is low, once a month, and takes nothing from anybody', () => {
    const nowhere = { how: '' };
    const text = [
      pass('09:00', { ...nowhere, mark: 'token t9 [critical]' }),
      pass('day 5  09:00', { ...nowhere, token: 't10', mark: 'user:mirror [low]' }),
      pass('day 9  09:00', nowhere),
    ].join('\n');
    const { findings } = expectTimeline(rule, text, three);
    expect(findings.at(-1)!.response).toEqual([]);
  });

  test('for its first time is medium while it is learned who does so', () => {
    const text = [
      pass('09:00', { mark: 'token t9 [medium]' }),
      pass('day 5  09:00'),
      pass('day 5  12:00', { who: 'mallory', token: 't1', mark: 'token t1 [medium]' }),
      pass('day 9  09:00', { who: 'eve', token: 't2', mark: 'token t2 [critical]' }),
    ].join('\n');
    expectTimeline(rule, text, { settings: { 'token-bulk-clone': { repositories: 3 } } });
  });
});
