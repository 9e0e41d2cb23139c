import { loadConfig } from '@tripline/config/config';
import { acknowledge } from '@tripline/incidents/incidents';
import { type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { openIncident, startNotifier } from '@tripline/testing/services/notifier';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

// The registry with one line more is all that this test changes.
vi.mock('@tripline/integrations/channels', async (original) => {
  const { channels } = await original<typeof import('@tripline/integrations/channels')>();
  const { board } = await import('@tripline/testing/fakes/board/registration');
  return { channels: [...channels, board] };
});

const until = { interval: 20, timeout: 10_000 };
let database: Awaited<ReturnType<typeof freshDatabase>>;
let server: FakeService;
beforeEach(async () => {
  database = await freshDatabase();
  server = await startFakeService(() => ({ status: 200, body: '{"card":"c7"}' }));
});
afterEach(async () => {
  await server.close();
  await database.close();
});

test('a channel that is a folder and a line of the registry is notified of incidents, and kept in sync through Postgres', async () => {
  const { db } = database;
  const config = loadConfig({ TRIPLINE_BOARD_API_URL: server.url }, '/nonexistent');
  const running = await startNotifier(db, config, { intervalMs: { board: 1 } });
  try {
    const id = await openIncident(db, { title: 'mallory was given write' });
    await expect.poll(() => server.requests.length, until).toBe(1);
    await acknowledge(db, id, { via: 'cli', id: 'ada', name: 'ada' });
    await expect.poll(() => server.requests.length, until).toBe(2);
    expect(server.requests.map(({ method, path, body }) => [method, path, JSON.parse(body).state])).toEqual([
      ['POST', '/cards', 'open'],
      // By the board's own name of the card, which Postgres kept.
      ['PUT', '/cards/c7', 'acknowledged'],
    ]);
    const messages = async () =>
      (await db.pool.query(`SELECT kind, mode FROM messages WHERE sink = 'board' ORDER BY id`)).rows;
    // What was answered is recorded a moment later.
    await expect.poll(messages, until).toEqual([
      { kind: 'posted', mode: 'live' },
      { kind: 'updated', mode: 'live' },
    ]);
  } finally {
    await running.close();
  }
});
