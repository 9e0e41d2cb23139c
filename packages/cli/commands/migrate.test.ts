import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { main } from '../main.ts';

let fresh: FreshDatabase;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

async function tripline(args: string[], url = fresh.url): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    ...{ stdin: Readable.from(['']), env: { DATABASE_URL: url }, cwd: tmpdir(), isTerminal: false },
  };
  return { status: await main(args, io), out, err };
}

const rights = async () =>
  (
    await fresh.db.pool.query(
      `SELECT relname, relacl::text FROM pg_class WHERE relacl::text LIKE '%tripline_%' ORDER BY 1`,
    )
  ).rows;
const forget = () => fresh.db.pool.query('DROP OWNED BY tripline_notifier, tripline_recorder');

test('prints statements that do the same as running them, and changes nothing', async () => {
  const before = await rights();
  await forget();
  const without = await rights();
  expect(without).not.toEqual(before);
  const { status, out } = await tripline(['migrate', '--grants']);
  expect(status).toBe(0);
  expect(await rights()).toEqual(without);
  await fresh.db.pool.query(out.replace(/^--.*$/gm, ''));
  const granted = await rights();
  await forget();
  expect((await tripline(['migrate', '--grants', '--apply'])).out).toContain('tripline_notifier');
  expect(await rights()).toEqual(granted);
});

test('says that what a migration brought is nobody’s yet, where there are roles', async () => {
  expect((await tripline(['migrate'])).out).toMatch(/up to date\.\n.*migrate --grants --apply/);
});

test('by a role that may not is refused in a sentence', async () => {
  const { status, err } = await tripline(['migrate', '--grants', '--apply'], fresh.urlAs('notifier'));
  expect(err).toMatch(/^tripline: the server of DATABASE_URL refuses: .*denied.*\n$/);
  expect(status).toBe(1);
  expect((await tripline(['migrate', '--apply'])).status).toBe(2);
});
