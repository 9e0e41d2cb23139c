import { createRequire } from 'node:module';
import { type EventType, eventTypes } from '@tripline/contracts/event';
import { fromEventRecord, toEventRecord } from '@tripline/contracts/event-record';
import { defineRule } from '@tripline/contracts/rule';
import { inTransaction } from '@tripline/db/transaction';
import { createEngine } from '@tripline/engine/engine';
import { configureRule } from '@tripline/engine/settings';
import { type NewRecord, type StreamRecord, topics } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { startReceiver } from '@tripline/testing/services/receiver';
import { createKept, runBatch } from '@tripline/testing/timeline/play';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { verifyTrail } from '@tripline/trail/verify-trail';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

type Body = Record<string, unknown>;
type Example = { name: string; examples: Body[] };
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as Example[];
const all = examples.flatMap(({ name, examples: bodies }) => bodies.map((body) => ({ name, body })));
/** What undoes an act. */
const opposites: Record<string, string> = {
  added: 'removed',
  created: 'deleted',
  member_added: 'member_removed',
  added_to_repository: 'removed_from_repository',
  suspend: 'unsuspend',
};
const opposite = (action: unknown): string | undefined =>
  Object.entries({ ...opposites, ...Object.fromEntries(Object.entries(opposites).map(([a, b]) => [b, a])) }).find(
    ([of]) => of === action,
  )?.[1];

/** Finds each event: so what it does not find was not judged. */
const each = defineRule<unknown, unknown>({
  ...{ id: 'each-event', title: 'An event', description: 'For tests.', severity: 'high', confidence: 'high' },
  ...{ principles: [5], attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false },
  reads: (Object.keys(eventTypes) as EventType[]).filter((type) => !type.includes('deliver')),
  settings: z.object({}),
  state: z.unknown(),
  keys: () => ['nothing'],
  judge: (event, context) =>
    context.find({
      ...{ subject: event.id, title: 'An event', summary: '', confidence: 'high' },
      ...{ evidence: [], entities: [], response: [], remedy: [] },
    }),
});

let database: Awaited<ReturnType<typeof freshDatabase>>;
/** What the receiver kept of every example: once, redelivered, and again under another id. */
const log: NewRecord[] = [];
const kept: string[] = [];
beforeAll(async () => {
  database = await freshDatabase();
  const stream = fakeStream();
  const receiver = await startReceiver(stream);
  const post = (name: string, body: Body, id: string) => receiver.github(name, body, { 'x-github-delivery': id });
  for (const [nth, { name, body }] of all.entries()) {
    const first = await post(name, body, `${nth}-first`);
    if (first.body.status !== 'kept') continue;
    kept.push(`${nth}`);
    expect((await post(name, body, `${nth}-first`)).body.status).toBe('duplicate');
    const undone = opposite(body['action']);
    if (undone !== undefined) await post(name, { ...body, action: undone }, `${nth}-undone`);
    expect((await post(name, body, `${nth}-again`)).body.status).toBe('kept');
  }
  await receiver.close();
  log.push(...stream.appended.filter(({ key }) => key !== '@receiver'));
}, 60_000);
afterAll(() => database.close());

const idOf = ({ headers }: NewRecord) => headers['ce_id']!;
const asLogged = (records: readonly NewRecord[]): StreamRecord[] =>
  records.map((record, offset) => ({ ...record, partition: 0, offset, appendedAtMs: Date.now() }));

test('every published example is kept twice when it comes under two ids, and once when it is redelivered', () => {
  expect(kept.length).toBeGreaterThan(150);
  const ids = log.map(idOf).filter((id) => !id.endsWith('-undone'));
  expect(ids).toEqual(kept.flatMap((nth) => [`github:${nth}-first`, `github:${nth}-again`]));
});

test('both stand in the trail, the second marked with the first', async () => {
  const records = asLogged(log).map((record) => ({ ...record, fault: null }));
  await makeTrailDays(database.db.pool, records, new Set());
  await inTransaction(database.db, (client) => addToTrail(client, null, records));
  const { rows } = await database.db.pool.query('SELECT event_id, repeats FROM trail ORDER BY "offset"');
  const repeats = new Map(rows.map((row) => [row.event_id, row.repeats]));
  expect(repeats.size).toBe(log.length);
  const bodies = new Map<string, string>();
  for (const record of log) {
    const { ce_type: type, ce_bodysha256: body, ce_workspace: workspace } = record.headers;
    const first = bodies.get(`${workspace} ${type} ${body}`);
    expect(repeats.get(idOf(record)), idOf(record)).toBe(first ?? null);
    if (first === undefined) bodies.set(`${workspace} ${type} ${body}`, idOf(record));
  }
  expect([...repeats.values()].filter((first) => first !== null).length).toBeGreaterThanOrEqual(kept.length);
  expect(await verifyTrail(database.db.pool)).toMatchObject({ rows: log.length, faultCount: 0 });
});

/** Through the engine in batches cut by `draw`, with a new engine now and then. */
function judge(records: readonly StreamRecord[], draw: () => number) {
  const options = { rules: [configureRule(each)], learningDays: 0 };
  const store = createKept();
  let engine = createEngine(options, store.snapshot());
  for (let from = 0; from < records.length; ) {
    const to = Math.min(records.length, from + 1 + Math.floor(draw() * 400));
    store.keep(runBatch(engine, { records: records.slice(from, to), caughtUpAtMs: null }, store.read));
    engine.commit();
    if (draw() < 0.3) engine = createEngine(options, store.snapshot());
    from = to;
  }
  return store.played();
}
function answered(proof: 'listed' | 'not-listed' | 'unavailable'): StreamRecord[] {
  const answers = log.map((record) =>
    toEventRecord({
      ...{ id: `proof:${idOf(record)}`, source: '//tripline/acme', type: 'dev.cdeventsx.tripline-delivery.looked-up' },
      ...{ time: new Date().toISOString(), workspace: record.key, trust: 'high' },
      data: { 'tripline.delivery.id': idOf(record), 'tripline.delivery.proof': proof },
    }),
  );
  return asLogged([...log, ...log, ...answers.map((record) => ({ topic: topics.events, ...record }))]);
}

test('each is judged, done, undone and done again; the bodies of before when their list names them', () => {
  expect(log.filter((record) => idOf(record).endsWith('-undone')).length).toBeGreaterThan(10);
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (draws) => {
      const draw = () => draws.next().value!;
      const { all: found, questions, poison } = judge(answered('listed'), draw);
      expect(poison).toEqual([]);
      expect(found.map(({ subject }) => subject)).toEqual(log.map(idOf));
      expect(found.filter(({ unproven }) => unproven)).toEqual([]);
      expect(questions.map(({ eventId }) => eventId)).toEqual(
        expect.arrayContaining(kept.map((nth) => `github:${nth}-again`)),
      );
      const refuted = judge(answered('not-listed'), draw);
      const doubted = new Set(questions.map(({ eventId }) => eventId));
      for (const { subject, severity } of refuted.all) expect(severity).toBe(doubted.has(subject) ? 'low' : 'high');
    }),
    { numRuns: 2 },
  );
}, 120_000);

test('those that say no time of their own are known as such, so that they are remembered for longer', () => {
  const untimed = log.filter((record, offset) => {
    const event = fromEventRecord(record, { partition: 0, offset, appendedAtMs: 0 });
    return event.data['tripline.time.received'] === true;
  });
  for (const type of ['grant.added', 'grant.removed', 'control.changed']) {
    expect(
      untimed.some(({ headers }) => headers['ce_type']!.endsWith(type)),
      type,
    ).toBe(true);
  }
  expect(untimed.length).toBeLessThan(log.length);
});
