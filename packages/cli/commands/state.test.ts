import { Readable } from 'node:stream';
import { createStateStore } from '@tripline/engine/keyed-state/state-store';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../main.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
  const store = createStateStore({ flushes: [], runs: [], building: null, dropped: [] });
  const row = { workspace: 'acme', key: 'github:github.com:1#7', expiresMs: Date.parse('2026-04-01T00:00:00Z') };
  const value = { value: { runs: ['\u001b[31mred'] }, concerns: [{ rule: 'some-rule', subject: '7', watches: true }] };
  const { flush, entries } = store.pack([{ ...row, rule: 'fact:runs', json: JSON.stringify(value) }])!;
  await database.db.pool.query(
    `INSERT INTO positions (consumer, topic, partition, next, epoch, log_time_ms) VALUES ('detector', 'tripline.events', 0, 1, 1, 1)`,
  );
  await database.db.pool.query('INSERT INTO state_segments (partition, segment, entries) VALUES (0, $1, $2)', [
    flush,
    entries,
  ]);
});
afterAll(() => database.close());

async function state(...args: string[]) {
  let said = '';
  const say = (text: string) => {
    said += text;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), cwd: '/', isTerminal: false };
  return { status: await main(['state', ...args], { ...io, env: { DATABASE_URL: database.url } }), said };
}

test('shows what a fact knows under a key, and what rules have to do with it', async () => {
  const { status, said } = await state('get', 'acme', 'runs', 'github:github.com:1#7');
  expect(status).toBe(0);
  expect(said).toContain('fact:runs in partition 0, until');
  expect(said).toContain('"some-rule"');
  expect(said).not.toContain('\u001b');
  const { said: json } = await state('get', 'acme', 'runs', 'github:github.com:1#7', '--json');
  expect(JSON.parse(json)).toMatchObject({ rule: 'fact:runs', partition: 0, expires: '2026-04-01T00:00:00.000Z' });
});

test('says where nothing stands', async () => {
  const { status, said } = await state('get', 'other', 'runs', 'github:github.com:1#7');
  expect([status, said]).toEqual([1, 'Nothing stands under github:github.com:1#7 of runs in other.\n']);
  expect((await state('get', 'acme')).said).toMatch('say the workspace');
});
