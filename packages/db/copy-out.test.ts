import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyOut, type Fields } from './copy-out.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const copy = (select: string, rowOf = ({ bigint, text, bytes }: Fields) => [bigint(), text(), bytes()] as const) =>
  copyOut(database.db.pool, select, rowOf);

test('gives numbers, text, bytes and nulls as they are', async () => {
  const rows = await copy(
    `SELECT * FROM (VALUES (9007199254740991, 'ä"\n', '\\x00ff'::bytea), (-1, NULL, ''), (0, '', NULL)) AS v`,
  );
  expect(rows.last()).toEqual([0, '', null]);
  expect(rows.take(9)).toEqual([
    [2 ** 53 - 1, 'ä"\n', Buffer.from([0, 255])],
    [-1, null, Buffer.alloc(0)],
    [0, '', null],
  ]);
  expect(rows.take(1)).toEqual([]);
  expect((await copy('SELECT 1::bigint, NULL, NULL WHERE false')).count).toBe(0);
});

test('a time is µs since 2000, and json its own text', async () => {
  const rows = await copy(`SELECT timestamptz '1999-12-31T23:59:59.999Z', '{ "b":1,  "a":2 }'::json, NULL`);
  expect(rows.take(1)).toEqual([[-1000, '{ "b":1,  "a":2 }', null]]);
});

test('rows that are much larger than what is received at once, and many of them, are whole', async () => {
  const select = (rows: number, bytes: number) =>
    `SELECT n::bigint, repeat(chr(97 + n % 26), ${bytes}), convert_to(n::text, 'UTF8') FROM generate_series(0, ${rows - 1}) AS n`;
  for (const [count, bytes] of [
    [5, 3_000_000],
    [20_000, 300],
  ] as const) {
    const rows = await copy(select(count, bytes));
    expect(rows.count).toBe(count);
    for (let n = 0; n < count; ) {
      for (const [number, text, value] of rows.take(777)) {
        expect(number).toBe(n);
        if (text !== String.fromCharCode(97 + (n % 26)).repeat(bytes) || value?.toString() !== `${n}`)
          throw new Error(`row ${n} is not as it was`);
        n += 1;
      }
    }
  }
});

test('a query that fails says why, and those after it are answered', async () => {
  await expect(
    copy("SELECT 6 / (1500 - n), repeat('x', 999), NULL FROM generate_series(1, 2000) AS n"),
  ).rejects.toThrow('division by zero');
  await expect(copy("SELECT 1::bigint, 'x', (SELECT NULL::bytea FROM no_table)")).rejects.toThrow('no_table');
  expect((await copy("SELECT 7::bigint, 'x', NULL")).take(1)).toEqual([[7, 'x', null]]);
});
