import { loadConfig } from '@tripline/config/config';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { takePartition } from '@tripline/db/positions';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { openStream } from '@tripline/stream/open';
import { type NewRecord, type Stream, topics } from '@tripline/stream/stream';
import { internalKey, proved } from '@tripline/testing/internal-key';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { verifyTrail } from '@tripline/trail/verify-trail';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRecorder, type Recorder } from './recorder.ts';

const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '2' }, '/nonexistent');
const logger = createLogger({ service: 'test', level: 'silent' });

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
let stream: Stream;
/** As the recorder reads it. */
let read: Stream;
let recorder: Recorder;

beforeEach(async () => {
  fresh = await freshDatabase();
  db = fresh.as('recorder');
  stream = await openStream({ config, db: fresh.db, logger, clock: systemClock });
  read = await openStream({ config, db, logger, clock: systemClock });
  recorder = await start();
});
afterEach(async () => {
  await recorder.close();
  await read.close();
  await stream.close();
  await fresh.close();
});

const start = () => createRecorder({ config, stream: read, db, logger, metrics: createMetrics({ service: 'test' }) });

function event(n: number, workspace = 'acme'): NewRecord {
  const record = toEventRecord({
    id: `event-${n}`,
    source: '//github.com/acme',
    type: 'dev.cdeventsx.tripline-credential.used',
    time: '2026-03-02T00:00:00Z',
    workspace,
    trust: 'high',
    data: { 'tripline.credential.id': `key-${n}` },
  });
  return { topic: topics.events, ...record };
}

async function recorded(): Promise<{ event_id: string; fault: string | null }[]> {
  const { rows } = await fresh.db.pool.query('SELECT event_id, fault FROM trail ORDER BY partition, "offset"');
  return rows;
}
const untilRecorded = (count: number) =>
  expect.poll(async () => (await recorded()).length, { interval: 10, timeout: 10_000 }).toBe(count);

it('keeps every event once, in the log’s order, with its chain', async () => {
  await stream.append([event(1), event(2), event(3, 'other'), event(4)]);
  await untilRecorded(4);
  const rows = await recorded();
  expect(rows.map((row) => row.event_id).sort()).toEqual(['event-1', 'event-2', 'event-3', 'event-4']);
  expect(await verifyTrail(fresh.db.pool)).toMatchObject({ rows: 4, faultCount: 0 });
});

it('goes on where it stopped', async () => {
  await stream.append([event(1), event(2)]);
  await untilRecorded(2);
  await recorder.close();
  await stream.append([event(3), event(4)]);
  recorder = await start();
  await untilRecorded(4);
  expect(await verifyTrail(fresh.db.pool)).toMatchObject({ rows: 4, faultCount: 0 });
});

it('keeps what nobody can read too, with the reason, and moves on', async () => {
  const poison = { ...event(2), value: Buffer.from([0xff, 0x00, 0x7b]) };
  const unknown = { ...event(3), headers: { ...event(3).headers, ce_type: 'nothing.of.ours' } };
  const extra = { ...event(4), value: Buffer.from('{"tripline.credential.id":"k","no.such.attribute":1}') };
  await stream.append([event(1), poison, unknown, extra, event(5)]);
  await untilRecorded(5);
  const rows = await recorded();
  expect(rows.map(({ fault }) => fault === null)).toEqual([true, false, false, false, true]);
  expect(rows[2]?.fault).toContain('ce_type');
  expect(rows[3]?.fault).toContain('no.such.attribute');
  expect(await verifyTrail(fresh.db.pool)).toMatchObject({ rows: 5, faultCount: 0 });
});

it('keeps what says that it comes from within and bears no MAC of ours, and marks it', async () => {
  await recorder.close();
  recorder = await createRecorder({
    ...{ config: { ...config, internalKeys: [internalKey] }, stream, db: fresh.db, logger },
    metrics: createMetrics({ service: 'test' }),
  });
  const act = {
    ...{ source: '//tripline/acme', type: 'dev.cdeventsx.tripline-act.performed', workspace: 'acme', trust: 'high' },
    time: '2026-03-02T00:00:00Z',
    data: { 'tripline.act.kind': 'kill-switch-on', 'tripline.act.target': 'remediation' },
  } as const;
  const [ours, forged] = ['ours', 'forged'].map((id) => ({
    topic: topics.events,
    ...toEventRecord({ id, ...act } as never),
  }));
  await stream.append([proved(ours!), forged!, event(1)]);
  await untilRecorded(3);
  expect((await recorded()).map(({ fault }) => fault)).toEqual([
    null,
    expect.stringContaining('comes from within Tripline alone'),
    null,
  ]);
  expect(await verifyTrail(fresh.db.pool)).toMatchObject({ rows: 3, faultCount: 0 });
});

it('writes nothing once another owner has the partition, and each event once all the same', async () => {
  await stream.append([event(1)]);
  await untilRecorded(1);
  const { rows } = await fresh.db.pool.query('SELECT partition FROM trail');
  const key = { consumer: 'recorder', topic: topics.events, partition: rows[0].partition };
  await takePartition(fresh.db.pool, key);
  await stream.append([event(2), event(3)]);
  // It is fenced, takes the partition anew, and reads from where the position stands.
  await untilRecorded(3);
  expect(await verifyTrail(fresh.db.pool)).toMatchObject({ rows: 3, faultCount: 0 });
});

it('leaves no row without its head and position', async () => {
  await stream.append([event(1)]);
  await untilRecorded(1);
  // The head is the last that a batch writes: with it refused, the rows before it must go too.
  await fresh.db.pool.query('ALTER TABLE trail_heads ADD CONSTRAINT full_up CHECK (row_count < 2) NOT VALID');
  await stream.append([event(2)]);
  const failed = 'SELECT epoch::int AS n FROM positions WHERE consumer = $1 ORDER BY epoch DESC LIMIT 1';
  const epoch = async () => (await fresh.db.pool.query(failed, ['recorder'])).rows[0].n;
  await expect.poll(epoch, { interval: 10, timeout: 10_000 }).toBeGreaterThan(2);
  expect(await recorded()).toHaveLength(1);
  await fresh.db.pool.query('ALTER TABLE trail_heads DROP CONSTRAINT full_up');
  await untilRecorded(2);
  expect(await verifyTrail(fresh.db.pool)).toMatchObject({ rows: 2, faultCount: 0 });
});
