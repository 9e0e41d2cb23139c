import { loadConfig } from '@tripline/config/config';
import type { EventType } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { takePartition } from '@tripline/db/positions';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { openStream } from '@tripline/stream/open';
import { type NewRecord, type Stream, topics } from '@tripline/stream/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, grantStates } from '@tripline/testing/services/broker-grants';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEndMeasures } from './end-measures.ts';

import { createWatch, type Watch } from './watch.ts';

const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '2' }, '/nonexistent');
const logger = createLogger({ service: 'test', level: 'silent' });

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
/** As sources write it, and as the broker reads it. */
let written: Stream;
let stream: Stream;
let opened: Watch[];
beforeEach(async () => {
  fresh = await freshDatabase();
  db = fresh.as('broker');
  written = await openStream({ config, db: fresh.db, logger, clock: systemClock });
  stream = await openStream({ config, db, logger, clock: systemClock });
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((watch) => watch.close()));
  await stream.close();
  await written.close();
  await fresh.close();
});

async function start(read: Pick<Stream, 'consume' | 'offsets' | 'offsetsSince'> = stream): Promise<Watch> {
  const measures = createEndMeasures(createMetrics({ service: 'test' }), async () => ({ leftAlive: 0, live: [] }));
  const watch = await createWatch({ stream: read, db, clock: systemClock, logger, measures });
  opened.push(watch);
  return watch;
}

const run = 'acme/github/github.com/74/9/1';
const job = (n: number) => ({ run, job: `${run}/${n}` });

let nth = 0;
function event(type: EventType, data: object = {}, workspace = 'acme'): NewRecord {
  nth += 1;
  const record = toEventRecord({
    ...{ id: `event-${nth}`, source: '//github.com/acme', type, time: '2026-03-02T12:00:00Z', workspace },
    trust: 'high',
    data: {
      ...{ 'vcs.repository.id': '74', 'vcs.repository.name': 'acme/api', 'cicd.pipeline.run.id': '9' },
      ...{ 'tripline.pipeline.run.attempt': 1, ...data },
    },
  } as never);
  return { topic: topics.events, ...record };
}
const finished = (n: number, workspace = 'acme') =>
  event('dev.cdevents.taskrun.finished', { 'cicd.pipeline.task.run.id': String(n) }, workspace);
const runFinished = () => event('dev.cdevents.pipelinerun.finished', { 'vcs.ref.head.revision': 'd'.repeat(40) });
const other = () => event('dev.cdevents.taskrun.started', { 'cicd.pipeline.task.run.id': '1' });

const ends = async () => (await db.pool.query('SELECT key FROM access_ends ORDER BY key')).rows.map(({ key }) => key);
const untilEnded = (...keys: string[]) =>
  expect.poll(ends, { interval: 10, timeout: 10_000 }).toEqual([...keys].sort());

test('the end of a job ends what it was given, at once; that of its run ends the rest', async () => {
  await addGrant(db, { id: 'g1', keys: job(1) });
  await addGrant(db, { id: 'g2', keys: job(2) });
  await addGrant(db, { id: 'for-the-run', keys: job(1), until: 'run' });
  await start();
  await written.append([other(), finished(1)]);
  await untilEnded(job(1).job);
  expect(await grantStates(db)).toEqual({ g1: 'ending job-ended', g2: 'live', 'for-the-run': 'live' });
  await written.append([runFinished()]);
  await untilEnded(job(1).job, run);
  expect(await grantStates(db)).toMatchObject({ g2: 'ending run-ended', 'for-the-run': 'ending run-ended' });
});

test('what another workspace’s webhooks say of a job ends nothing of it', async () => {
  await addGrant(db, { id: 'g1', keys: job(1) });
  await start();
  await written.append([finished(1, 'another'), finished(2)]);
  await untilEnded(job(1).job.replace('acme/', 'another/'), job(2).job);
  expect(await grantStates(db)).toEqual({ g1: 'live' });
});

test('ends that the log held before the start are noted first, and only then may anything be given', async () => {
  await written.append([finished(1), other(), finished(2, 'another')]);
  const watch = await start();
  await expect.poll(() => watch.caughtUp(), { interval: 5, timeout: 10_000 }).toBe(true);
  expect(await ends()).toEqual([job(1).job, job(2).job.replace('acme/', 'another/')]);
  await watch.ready();
});

test('a first start reads no further back than ends are kept', async () => {
  await written.append([finished(1), finished(2)]);
  await fresh.db.pool.query('UPDATE log SET appended_at_ms = appended_at_ms - $1', [4 * 24 * 3_600_000]);
  await written.append([finished(3)]);
  const from = new Map<number, number>();
  const watch = await start({
    ...stream,
    consume: ({ handlers, ...options }) =>
      stream.consume({
        ...options,
        handlers: {
          ...handlers,
          onAssigned: async (assigned) => {
            const next = await handlers.onAssigned(assigned);
            from.set(assigned.partition, next);
            return next;
          },
        },
      }),
  });
  await untilEnded(`${run}/3`);
  await expect.poll(watch.caughtUp, { timeout: 10_000 }).toBe(true);
  expect(Math.max(...from.values())).toBe(2);
});

test('nothing is given while the log cannot be read', async () => {
  await written.append([finished(1)]);
  const watch = await start({ ...stream, consume: (options) => stream.consume({ ...options, handlers: deaf }) });
  await expect(watch.ready()).rejects.toThrow(/still being noted/);
  expect(watch.caughtUp()).toBe(false);
});
const deaf = { onAssigned: async () => 0, onBatch: () => Promise.reject(new Error('no')), onLost: async () => {} };

test('a second replica, which owns no partition, waits for what the first one notes', async () => {
  const first = await start();
  await expect.poll(() => first.caughtUp(), { interval: 5, timeout: 10_000 }).toBe(true);
  const second = await start();
  await expect.poll(() => second.caughtUp(), { interval: 5, timeout: 10_000 }).toBe(true);
});

test('a record that nobody can read, one of a drill and one without ids end nothing, and hold nothing up', async () => {
  const poison = { ...finished(3), value: Buffer.from('{') };
  const nul = event('dev.cdevents.taskrun.finished', { 'cicd.pipeline.task.run.id': 'a\0b' });
  const nameless = event('dev.cdevents.taskrun.finished', { 'vcs.repository.id': undefined });
  await start();
  const half = event('dev.cdevents.taskrun.finished', { 'cicd.pipeline.task.run.id': 'a\ud800' });
  await written.append([poison, nul, half, nameless, finished(4, 'tripline-drill-1'), finished(5)]);
  await untilEnded(job(5).job);
});

test('after another owner took the partition ends are heard all the same, and once', async () => {
  const watch = await start();
  await written.append([finished(1)]);
  await untilEnded(job(1).job);
  for (const partition of [0, 1]) await takePartition(db.pool, { consumer: 'broker', topic: topics.events, partition });
  await written.append([finished(1), finished(2)]);
  await untilEnded(job(1).job, job(2).job);
  await watch.close();
  await addGrant(db, { id: 'g1', keys: job(3) });
  await written.append([finished(3)]);
  await start();
  await untilEnded(job(1).job, job(2).job, job(3).job);
  expect(await grantStates(db)).toEqual({ g1: 'ending job-ended' });
});
