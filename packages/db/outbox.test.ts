import { checkHealth } from '@tripline/health/health';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addToOutbox, type OutgoingEvent, removeFromOutbox, takeFromOutbox } from './outbox.ts';
import { inTransaction } from './transaction.ts';

let fresh: FreshDatabase;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

const act = (id: string, reason = 'because'): OutgoingEvent => ({
  id,
  type: 'dev.cdeventsx.tripline-act.performed',
  workspace: 'acme',
  data: {
    'tripline.act.kind': 'incident-acknowledged',
    'tripline.act.target': 'INC-1',
    'tripline.act.reason': reason,
    'user.name': 'ada',
  },
});

test('keeps events in order, and gives them the time of the database where they have none', async () => {
  const { db } = fresh;
  const time = '2026-05-01T12:00:00.000Z';
  await inTransaction(db, async (client) => {
    await addToOutbox(client, [act('a'), { ...act('b'), time }]);
    await addToOutbox(client, [act('c')]);
  });
  const taken = await inTransaction(db, (client) => takeFromOutbox(client, 10));
  expect(taken.map(({ event }) => event.id)).toEqual(['a', 'b', 'c']);
  expect(taken[1]!.event).toEqual({ ...act('b'), time, source: '//tripline/acme', trust: 'high' });
  expect(Math.abs(Date.parse(taken[0]!.event.time) - Date.now())).toBeLessThan(60_000);
});

test('keeps nothing of a transaction that was rolled back, and an event until it was removed', async () => {
  const { db } = fresh;
  const undone = inTransaction(db, async (client) => {
    await addToOutbox(client, [act('a')]);
    throw new Error('changed my mind');
  });
  await expect(undone).rejects.toThrow('changed my mind');
  await addToOutbox(db.pool as never, [act('b'), act('c')]);
  await inTransaction(db, async (client) => removeFromOutbox(client, await takeFromOutbox(client, 1)));
  const left = await inTransaction(db, (client) => takeFromOutbox(client, 10));
  expect(left.map(({ event }) => event.id)).toEqual(['c']);
});

test('refuses what is not whole, naming it, and blots out credentials', async () => {
  const { db } = fresh;
  const { 'tripline.act.target': _, ...data } = act('a').data as Record<string, unknown>;
  await expect(addToOutbox(db.pool as never, [{ ...act('a'), data } as never])).rejects.toThrow('tripline.act.target');
  await addToOutbox(db.pool as never, [act('b', `it was ghp_${'x'.repeat(36)}`)]);
  const [taken] = await inTransaction(db, (client) => takeFromOutbox(client, 10));
  expect(JSON.stringify(taken)).not.toContain('xxxx');
});

test('the checks say what waits, and call it broken when nobody has published it for five minutes', async () => {
  const { db } = fresh;
  const check = async () => (await checkHealth(db, { workspaces: [] })).find(({ name }) => name === 'outbox');
  expect(await check()).toMatchObject({ state: 'ok', detail: 'nothing waits in it' });
  await addToOutbox(db.pool as never, [act('a')]);
  expect(await check()).toMatchObject({ state: 'ok', detail: expect.stringContaining('1 event waits') });
  await db.pool.query("UPDATE outbox SET at = at - interval '6 minutes'");
  expect(await check()).toMatchObject({ state: 'broken', remedy: expect.stringContaining('TRIPLINE_INTERNAL_KEY') });
});
