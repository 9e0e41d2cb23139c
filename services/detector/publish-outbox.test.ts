import { fromEventRecord } from '@tripline/contracts/event-record';
import { internalEventTypes, isFromWithin } from '@tripline/contracts/internal';
import { addToOutbox, type OutgoingEvent } from '@tripline/db/outbox';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { type NewRecord, StreamUnavailableError } from '@tripline/stream/stream';
import { internalKey } from '@tripline/testing/internal-key';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { publishOutbox, startPublishing } from './publish-outbox.ts';

let fresh: FreshDatabase;
let appended: NewRecord[];
let isAway: boolean;
beforeEach(async () => {
  fresh = await freshDatabase();
  appended = [];
  isAway = false;
});
afterEach(() => fresh.close());

const stream = {
  append: async (records: readonly NewRecord[]) => {
    if (isAway) throw new StreamUnavailableError('away');
    appended.push(...records);
    return [];
  },
};
const parts = () => ({ db: fresh.as('detector'), stream, config: { internalKeys: [internalKey] } });
const ids = () => appended.map(({ headers }) => headers['ce_id']);
const waiting = async () => (await fresh.db.pool.query('SELECT FROM outbox')).rowCount;
const act = (id: string): OutgoingEvent => ({
  ...{ id, type: 'dev.cdeventsx.tripline-act.performed', workspace: 'acme' },
  data: { 'tripline.act.kind': 'kill-switch-on', 'tripline.act.target': 'remediation' },
});
const add = (...events: OutgoingEvent[]) => addToOutbox(fresh.db.pool as never, events);

test('appends what waits, whole and signed, in order, and then nothing more', async () => {
  await add(act('a'), act('b'));
  expect(await publishOutbox(parts())).toBe(2);
  expect(await publishOutbox(parts())).toBe(0);
  expect(ids()).toEqual(['a', 'b']);
  for (const [offset, record] of appended.entries()) {
    expect(record).toMatchObject({ topic: 'tripline.events', key: 'acme' });
    expect(isFromWithin(record, [internalKey])).toBe(true);
    fromEventRecord(record, { partition: 0, offset, appendedAtMs: 0 }, { checkWhole: true });
  }
});

test('signs nothing that no room leaves here: whoever may add to the outbox may not teach a runner, nor open break-glass', async () => {
  const insert = (id: string, type: string) =>
    fresh
      .as('notifier')
      .pool.query(
        `INSERT INTO outbox (event_id, event_type, workspace, source, at, data) VALUES ($1, $2, 'acme', '//tripline/acme', now(), $3)`,
        [id, type, { 'tripline.inventory.kind': 'runners' }],
      );
  for (const type of internalEventTypes) await insert(type, type);
  await publishOutbox(parts());
  expect(ids().sort()).toEqual([
    'dev.cdeventsx.tripline-act.performed',
    'dev.cdeventsx.tripline-delivery.looked-up',
    'dev.cdeventsx.tripline-feed.silent',
    'dev.cdeventsx.tripline-response.finished',
  ]);
  expect(await waiting()).toBe(0);
});

test('keeps what the log did not acknowledge, and appends it in its place later', async () => {
  await add(act('a'));
  isAway = true;
  await expect(publishOutbox(parts())).rejects.toThrow('away');
  await add(act('b'));
  isAway = false;
  await publishOutbox(parts());
  expect(ids()).toEqual(['a', 'b']);
  expect(await waiting()).toBe(0);
});

test('an event whose acknowledgement was lost is appended again, whole, in its place, and under its own id', async () => {
  await add(act('a'), act('b'));
  const lost = {
    append: async (records: readonly NewRecord[]) => {
      await stream.append(records);
      throw new StreamUnavailableError('the acknowledgement was lost');
    },
  };
  await expect(publishOutbox({ ...parts(), stream: lost })).rejects.toThrow('lost');
  await add(act('c'));
  await publishOutbox(parts());
  expect(ids()).toEqual(['a', 'b', 'a', 'b', 'c']);
  expect(appended[2]).toEqual(appended[0]);
});

test('two publishers keep the order, and append nothing twice', async () => {
  const all = Array.from({ length: 450 }, (_, n) => act(`e${n}`));
  await add(...all);
  const drain = async () => {
    while ((await publishOutbox(parts())) > 0);
  };
  await Promise.all([drain(), drain(), drain()]);
  expect(ids()).toEqual(all.map(({ id }) => id));
});

test('hears at once of what is committed, and goes on where the log was away', async () => {
  const logger = createLogger({ service: 'test', level: 'silent' });
  const publishing = startPublishing({ ...parts(), clock: systemClock, logger });
  try {
    await add(act('a'));
    await vi.waitFor(() => expect(ids()).toEqual(['a']));
    isAway = true;
    await add(act('b'));
    isAway = false;
    await vi.waitFor(() => expect(ids()).toEqual(['a', 'b']), { timeout: 5000 });
    await vi.waitFor(async () => expect(await waiting()).toBe(0));
  } finally {
    await publishing.stop();
  }
});
