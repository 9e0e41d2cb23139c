import { Readable } from 'node:stream';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFindings, someFinding } from '../../../test/faults/recorded-findings.ts';
import { main } from '../main.ts';

let fresh: FreshDatabase;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());

async function tripline(...args: string[]) {
  let out = '';
  let err = '';
  const status = await main(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: Readable.from(['']),
    env: { DATABASE_URL: fresh.urlAs('cli') },
    cwd: '/nonexistent',
    isTerminal: false,
  });
  return { status, out, err };
}

it('adds, lists, previews and expires silences, and says who must do what', async () => {
  const finding = { ...someFinding('acme/app:mallory', { person: 'mallory' }), severity: 'high' as const };
  await recordFindings(fresh.db, [finding]);
  const preview = await tripline('silence', 'preview', '--actor', 'mal*');
  expect(preview.out).toContain('Finding acme/app:mallory');
  expect(preview.out).toContain('It would have kept 1 finding of the last 7 days from being reported.');

  const added = await tripline(
    'silence',
    'add',
    '--actor',
    'mal*',
    '--for',
    '7d',
    '--reason',
    'moves house',
    '--owner',
    'ops',
  );
  expect(added).toMatchObject({ status: 0, err: '' });
  expect(added.out).toMatch(/^SIL-1 {4}until .* UTC {2}actor=mal\* {2}ops: moves house\n$/);
  expect((await tripline('silence')).out).toBe(added.out);
  const [listed] = (await tripline('silence', 'list', '--json')).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(listed).toMatchObject({ id: 'SIL-1', actor: 'mal*', created: { by: { via: 'cli', proof: 'os-user' } } });

  expect((await tripline('silence', 'expire', 'SIL-1', '--reason', 'over')).out).toMatch(/^SIL-1 {4}ended .* by /);
  expect((await tripline('silence', 'expire', 'SIL-1')).out).toMatch(/^No change/);
  expect((await tripline('silence')).out).toMatch(/^There is no silence/);
  expect((await tripline('silence', 'list', '--all')).out).toContain('SIL-1');
});

it.each<[string[], number, string]>([
  [['add', '--actor', 'ada', '--reason', 'r'], 2, 'say how long'],
  [['add', '--actor', 'ada', '--for', '1d'], 2, 'say why'],
  [['add', '--actor', 'ada', '--for', '31d', '--reason', 'r'], 1, 'a silence lasts 30 days at most'],
  [['add', '--actor', 'ada', '--until', '9999-12-31T00:00:00Z', '--reason', 'r'], 1, 'a silence lasts 30 days at most'],
  [['add', '--actor', 'ada', '--until', 'soon', '--reason', 'r'], 2, '--until must be a time'],
  [['add', '--workspace', 'acme', '--for', '1d', '--reason', 'r'], 2, 'it would silence everything'],
  [['add', '--actor', '', '--for', '1d', '--reason', 'r'], 2, '--actor is empty'],
  [['preview'], 2, 'it would silence everything'],
  [['expire'], 2, 'say which silence'],
  [['expire', 'SIL-999'], 1, 'there is no silence SIL-999'],
])('refuses `silence %j` with status %d and a sentence', async (args, expected, sentence) => {
  const { status, err } = await tripline('silence', ...args);
  expect({ status, err }).toEqual({ status: expected, err: expect.stringContaining(sentence) });
});
