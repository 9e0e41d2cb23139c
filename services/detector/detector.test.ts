import type { EventType } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { brokerEventTypes, internalEventTypes, signInternal } from '@tripline/contracts/internal';
import type { AnyRule } from '@tripline/contracts/rule';
import type { Db } from '@tripline/db/database';
import { FencedError } from '@tripline/db/positions';
import { readRuleFaults } from '@tripline/health/rule-faults';
import { topics } from '@tripline/stream/stream';
import { internalKey } from '@tripline/testing/internal-key';
import { watchCommits } from '@tripline/testing/postgres/commits';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { clockByHand, detectorByHand, failing, leftForOthers, whatStands } from '@tripline/testing/services/detector';
import { at, type LoggedEventInput, playTimeline, toRecords } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import {
  created,
  deleted,
  minuteMs,
  someEvents,
  startMs,
  rules as syntheticRules,
  throwingRule,
} from '../../test/detector.rules.ts';
import { readKeys } from './read-key.ts';
import { readState } from './state-keeper.ts';

const rules: readonly AnyRule[] = syntheticRules;
const detectorOf = (db: Db, options: Partial<Parameters<typeof detectorByHand>[1]> = {}) =>
  detectorByHand(db, { rules, ...options });

async function forgetAll(db: Db): Promise<void> {
  await db.pool.query(
    `TRUNCATE positions, rule_state, state_segments, state_runs, state_pages, state_stretches, timers, seen_batches, incidents, incident_entities, findings, incident_events CASCADE`,
  );
  await db.pool.query('DELETE FROM queue');
  await db.pool.query('SELECT graphile_worker.remove_job(key) FROM graphile_worker.jobs');
}

describe('the detector', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let db: Db;
  forEachTest((fresh) => {
    database = fresh;
    db = fresh.as('detector');
  });

  const events = someEvents(24);
  const untilMs = startMs + 60 * minuteMs;

  /** Plays the log batch by batch; after a failure goes on from where the position stands, as a stream does. */
  async function play(by: Awaited<ReturnType<typeof detectorByHand>>, log: readonly LoggedEventInput[], size: number) {
    const records = toRecords({ events: log });
    for (let failed = 0; ; failed += 1) {
      try {
        for (let next = await by.assign(); next < records.length; next += size) {
          await by.batch(records.slice(next, next + size));
        }
        await by.batch([], untilMs);
        return;
      } catch (error) {
        // Assigned anew; not for ever, once the test has run out of time and its database is gone.
        if (failed > 100) throw error;
      }
    }
  }

  test('finds what the engine finds in memory, and leaves its incidents and jobs', async () => {
    await play(await detectorOf(db), events, 5);
    const { all, retracted, lookUps } = playTimeline({ rules, events, untilMs });
    expect(all.length).toBeGreaterThan(5);
    expect(retracted.length).toBeGreaterThan(0);
    const { rows } = await db.pool.query('SELECT id, withdrawn_at IS NOT NULL AS retracted FROM findings ORDER BY id');
    const taken = new Set(retracted.map(({ findingId }) => findingId));
    const expected = all.map(({ id }) => ({ id, retracted: taken.has(id) })).sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(rows).toEqual(expected);
    const jobs = await db.pool.query(`SELECT task, count(*)::int FROM ${leftForOthers} GROUP BY 1`);
    const incidents = await db.pool.query('SELECT count(*)::int FROM incidents');
    expect(Object.fromEntries(jobs.rows.map(({ task, count }) => [task, count]))).toEqual({
      'look-up': lookUps.length,
      remediate: all.length,
      notify: incidents.rows[0].count,
    });
  });

  test('leaves the same behind however the log is cut', async () => {
    await play(await detectorOf(db), events, 24);
    const whole = await whatStands(db);
    for (const size of [1, 7]) {
      for (const gatherMs of [0, 100]) {
        const other = await freshDatabase();
        await play(await detectorOf(other.db, { gatherMs, clock: clockByHand(startMs).clock }), events, size);
        expect(await whatStands(other.db)).toEqual(whole);
        await other.close();
      }
    }
  });

  test.each([
    [false, 0],
    [true, 0],
    [false, 100],
    [true, 100],
  ])(
    'leaves the same behind whichever query fails (answer lost: %s, gathered: %s)',
    async (answerLost, gatherMs) => {
      const short = someEvents(8);
      const size = gatherMs === 0 ? 4 : 1;
      await play(await detectorOf(db), short, 4);
      const expected = await whatStands(db);
      let n = 0;
      for (let failed = true; failed; ) {
        n += 1;
        await forgetAll(database.db);
        const broken = failing(db, n, answerLost);
        await play(await detectorOf(broken.db, { gatherMs, clock: clockByHand(startMs).clock }), short, size);
        expect(await whatStands(db), `query ${n}`).toEqual(expected);
        failed = broken.hasFailed();
      }
      expect(n).toBeGreaterThan(20);
    },
    120_000,
  );

  /** The positions that are recorded from now on, as they follow each other. */
  function recordedPositions(of: Db): { db: Db; recorded: number[] } {
    const recorded: number[] = [];
    return { db: watchCommits(of, (_, next) => recorded.push(next)), recorded };
  }
  /** It asks about the first branch of three, and finds something at the third; nothing follows from the second. */
  const onlyThird = [syntheticRules[1]];

  test('records what nobody waits for with what comes soon after, and a finding at once with all before it', async () => {
    const { clock, pauses } = clockByHand(startMs);
    const { db: watched, recorded } = recordedPositions(db);
    const by = await detectorOf(watched, { rules: onlyThird, gatherMs: 100, clock });
    await by.assign();
    const log = ['one', 'two', 'three', 'four', 'five'].map((name, at) => created(startMs + at, name));
    const [first, second, third, fourth, fifth] = toRecords({ events: log });
    await by.batch([first!]);
    await by.batch([second!]);
    expect(recorded).toEqual([1]);
    await by.batch([third!]);
    expect(recorded).toEqual([1, 3]);
    expect((await db.pool.query('SELECT 1 FROM findings')).rows).toHaveLength(1);
    await by.batch([fourth!]);
    await by.batch([fifth!]);
    expect(recorded).toEqual([1, 3, 4]);
    expect(pauses.map(({ ms }) => ms)).toEqual([100]);
    pauses[0]!.end();
    await expect.poll(() => recorded).toEqual([1, 3, 4, 5]);
  });

  test('records what it gathered once it is many, and when it loses the partition', async () => {
    const { db: watched, recorded } = recordedPositions(db);
    const by = await detectorOf(watched, { rules: onlyThird, gatherMs: 100, clock: clockByHand(startMs).clock });
    await by.assign();
    const records = toRecords({ events: Array.from({ length: 606 }, (_, at) => deleted(startMs + at, `b${at}`)) });
    const cuts = [0, 5, 400, 600, 606];
    // With the first, the workspace is new.
    for (const [nth, from] of cuts.slice(0, -1).entries()) await by.batch(records.slice(from, cuts[nth + 1]));
    expect(recorded).toEqual([5, 600]);
    await by.lose();
    expect(recorded).toEqual([5, 600, 606]);
    expect(await by.assign()).toBe(606);
  });

  test('what could not be recorded is processed again', async () => {
    const { clock, pauses } = clockByHand(startMs);
    const by = await detectorOf(db, { rules: onlyThird, gatherMs: 100, clock });
    const records = toRecords({ events: ['one', 'two', 'three'].map((name, at) => created(startMs + at, name)) });
    await by.assign();
    await by.batch(records.slice(0, 1));
    await by.batch(records.slice(1, 2));
    const other = await detectorOf(db, { rules: onlyThird });
    expect(await other.assign()).toBe(1);
    pauses[0]!.end();
    await expect(by.batch(records.slice(2))).rejects.toThrow(FencedError);
    await other.batch(records.slice(1));
    expect((await db.pool.query('SELECT subject FROM findings')).rows).toEqual([{ subject: 'acme/app@three' }]);
  });

  test('fences an owner that does not know that it lost the partition', async () => {
    const records = toRecords({ events });
    const first = await detectorOf(db);
    const second = await detectorOf(db);
    await first.assign();
    await first.batch(records.slice(0, 6));
    expect(await second.assign()).toBe(6);
    await expect(first.batch(records.slice(6, 12))).rejects.toThrow(FencedError);
    await second.batch(records.slice(6, 24));
    await expect(first.batch([], untilMs)).rejects.toThrow(FencedError);
    await second.batch([], untilMs);
    const stands = await whatStands(db);
    const other = await freshDatabase();
    await play(await detectorOf(other.db), events, 24);
    expect(stands).toEqual(await whatStands(other.db));
    await other.close();
  });

  test('goes on from what a former detector left, which then can take the partition no more', async () => {
    await db.pool.query(`INSERT INTO positions (consumer, topic, partition, epoch) VALUES ('detector', $1, 0, 7);`, [
      topics.events,
    ]);
    await db.pool.query(
      `INSERT INTO rule_state (workspace, rule, key, value, expires_ms, partition)
       VALUES ('acme', 'third-branch', 'count', '{"count":2}', $1, 0), ('acme', '@workspace', '', '{"firstSeenMs":1}', $1, 0)`,
      [startMs + 60 * minuteMs],
    );
    const by = await detectorOf(db, { rules: [syntheticRules[1]] });
    await by.assign();
    await by.batch(toRecords({ events: [created(startMs, 'one')] }));
    const findings = await db.pool.query('SELECT subject FROM findings');
    expect(findings.rows).toEqual([{ subject: 'acme/app@one' }]);
    const left = await db.pool.query("SELECT rule FROM rule_state WHERE rule NOT LIKE '@%'");
    expect(left.rows).toEqual([]);
    expect(await readState(db, 0, startMs)).toMatchObject([{ rule: 'third-branch', value: { count: 3 } }]);
    const counted = { workspace: 'acme', rule: 'third-branch', key: 'count' };
    expect(await readKeys(db, [counted, { ...counted, key: 'other' }])).toMatchObject([
      { ...counted, value: { count: 3 }, partition: 0 },
    ]);
    // How a detector of before took a partition.
    const taken = db.pool.query("UPDATE positions SET epoch = epoch + 1 WHERE consumer = 'detector'");
    await expect(taken).rejects.toThrow('a_newer_tripline_owns_this_partition_stop_this_detector');
  });

  /** What the broker alone may say has keys of its own; see packages/contracts/internal.test.ts. */
  const fromWithin = [...internalEventTypes].filter((type) => !brokerEventTypes.has(type));
  /** Of each type that only Tripline itself may say: as somebody wrote it to the log who has no key. */
  const forged = (workspace: string, types: readonly EventType[] = fromWithin) =>
    types.map((type, offset) => ({
      ...toEventRecord({
        ...{ id: `forged-${offset}`, source: '//github.com/acme', type, workspace, trust: 'high' },
        time: new Date(startMs).toISOString(),
        data: {
          ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1, 'vcs.repository.name': 'acme/app' },
          ...{ 'vcs.ref.head.revision': 'a1', 'tripline.lookup.id': 'q1', 'tripline.lookup.outcome': 'found' },
          ...{ 'tripline.delivery.id': 'd1', 'tripline.delivery.proof': 'listed' },
          ...{ 'tripline.act.kind': 'incident-resolved', 'tripline.act.target': 'INC-1' },
          ...{ 'tripline.response.action': 'stop-run', 'tripline.response.finding': 'f1' },
          'tripline.response.verdict': 'act',
          ...{ 'tripline.breakglass.id': 'bg-1', 'tripline.breakglass.actor': 'ada' },
          ...{
            'tripline.breakglass.reason': 'r',
            'tripline.breakglass.expires_at': new Date(startMs + 1).toISOString(),
          },
        },
      } as never),
      ...{ topic: topics.events, partition: 0, offset, appendedAtMs: startMs },
    }));
  const facts = async () =>
    (await db.pool.query("SELECT workspace, value FROM rule_state WHERE rule = '@workspace'")).rows;

  test('believes nothing from within that bears no MAC of ours, and moves on', async () => {
    const by = await detectorOf(db);
    await by.assign();
    const unsigned = forged('acme');
    const others = unsigned.map((record) => signInternal(record, 'a-key-of-somebody-else'));
    await by.batch([...unsigned, ...others].map((record, offset) => ({ ...record, offset })));
    expect(by.appended).toHaveLength(2 * fromWithin.length);
    for (const record of by.appended) {
      expect(record.topic).toBe(topics.deadLetters);
      expect(record.headers['tripline_reason']).toMatch(/comes from within Tripline alone, and no key/);
    }
    expect(await facts()).toEqual([]);
    expect((await db.pool.query('SELECT next::int FROM positions')).rows).toEqual([{ next: others.length * 2 }]);
  });

  test('believes what each key in rotation signed, and a forgery before it takes nothing from it', async () => {
    const by = await detectorOf(db);
    await by.assign();
    const [inventory] = forged('acme', ['dev.cdeventsx.tripline-inventory.observed']);
    await by.batch([inventory!, { ...signInternal(inventory!, 'a-former-internal-key'), offset: 1 }]);
    expect(by.appended).toHaveLength(1);
    expect(await facts()).toMatchObject([{ workspace: 'acme', value: { inventoryMs: startMs } }]);
  });

  test('believes the drill key in a drill’s inventory and break-glass records alone', async () => {
    const by = await detectorOf(db);
    await by.assign();
    const drillKey = 'a-key-of-drills-alone';
    const drill = forged('tripline-drill-1').map((record) => signInternal(record, drillKey));
    const real = forged('acme').map((record) => signInternal(record, drillKey));
    const smuggled = forged('tripline-drill-1', ['dev.cdeventsx.tripline-inventory.observed']).map((record) =>
      signInternal({ ...record, headers: { ...record.headers, ce_workspace: 'acme' } }, drillKey),
    );
    await by.batch([...drill, ...real, ...smuggled].map((record, offset) => ({ ...record, offset })));
    const taken = 2;
    expect(by.appended).toHaveLength(2 * fromWithin.length - taken + smuggled.length);
    expect(await facts()).toMatchObject([{ workspace: 'tripline-drill-1', value: { inventoryMs: startMs } }]);
  });

  test('sets poison aside with its reason, keeps what other rules said, and moves on', async () => {
    const by = await detectorOf(db, { rules: [...rules, throwingRule] });
    const records = toRecords({ events: ['one', 'throw', 'three'].map((name, at) => created(startMs + at, name)) });
    const broken = { ...records[0]!, offset: 3, value: Buffer.from('{"canary') };
    const unknown = { ...records[0]!, offset: 4, headers: { ...records[0]!.headers, ce_type: 'com.example' } };
    await by.assign();
    await by.batch([...records, broken, unknown]);
    expect(
      by.appended.map(({ topic, headers }) => [topic, headers['tripline_rule'], headers['tripline_reason']]),
    ).toEqual([
      [topics.deadLetters, 'throwing', 'this branch is more than I can judge'],
      [topics.deadLetters, undefined, 'the value is no valid JSON'],
      [topics.deadLetters, undefined, expect.stringContaining('com.example')],
    ]);
    // For whoever asks what is broken.
    expect(await readRuleFaults(db)).toMatchObject([
      { rule: null, times: 2, reason: expect.stringContaining('com.example') },
      { rule: 'throwing', times: 1, reason: 'this branch is more than I can judge' },
    ]);
    const { rows } = await db.pool.query(
      'SELECT rule, subject, withdrawn_at IS NULL AS stands FROM findings ORDER BY 1, 2',
    );
    expect(rows).toContainEqual({ rule: 'third-branch', subject: 'acme/app@three', stands: true });
    expect(rows.filter(({ rule, stands }) => rule === 'throwing' && stands)).toEqual([]);
    expect(await by.assign()).toBe(5);
  });

  test('tells nobody of a silenced finding, and remembers why', async () => {
    const until = new Date(startMs + 60 * minuteMs).toISOString();
    const silence = { rule: 'third-branch', subject: 'acme/*', until, reason: 'a known robot' };
    const by = await detectorOf(db, { silences: [silence] });
    await by.assign();
    await by.batch(toRecords({ events: ['one', 'two', 'three'].map((name, at) => created(startMs + at, name)) }));
    const findings = await db.pool.query('SELECT incident, silenced_by FROM findings');
    expect(findings.rows).toEqual([{ incident: null, silenced_by: expect.stringContaining('a known robot') }]);
    const jobs = await db.pool.query('SELECT 1 FROM queue');
    expect(jobs.rows).toEqual([]);
  });

  test('a finding joins the incident of the same user; one that is explained away closes it', async () => {
    const by = await detectorOf(db, { rules: [syntheticRules[0]] });
    await by.assign();
    const log = [created(startMs, 'aa'), created(startMs + 1, 'ab'), created(startMs + 2, 'other')];
    await by.batch(toRecords({ events: log }), startMs + 5 * minuteMs);
    const incidents = await db.pool.query('SELECT title, version, state FROM incidents ORDER BY title');
    expect(incidents.rows).toEqual([
      { title: 'Branch aa', version: 2, state: 'open' },
      { title: 'Branch other', version: 1, state: 'open' },
    ]);
    const later = startMs + 6 * minuteMs;
    const explained = toRecords({ events: [deleted(later, 'aa'), deleted(later + 1, 'ab')] });
    await by.batch(
      explained.map((record, place) => ({
        ...record,
        offset: 3 + place,
        headers: { ...record.headers, ce_id: `x${place}` },
      })),
    );
    const after = await db.pool.query('SELECT title, state, resolution, resolved_by FROM incidents ORDER BY title');
    expect(after.rows).toEqual([
      {
        title: 'Branch aa',
        state: 'resolved',
        resolution: 'false',
        resolved_by: expect.objectContaining({ via: 'tripline' }),
      },
      { title: 'Branch other', state: 'open', resolution: null, resolved_by: null },
    ]);
    const history = await db.pool.query("SELECT kind FROM incident_events WHERE incident = 'INC-1' ORDER BY id");
    expect(history.rows.map(({ kind }) => kind)).toEqual(['opened', 'joined', 'withdrawn', 'withdrawn', 'resolved']);
  });

  test.each([false, true])(
    'a finding stands again when what explained it is gone (in one batch: %s)',
    async (whole) => {
      const by = await detectorOf(db, { rules: [syntheticRules[0]] });
      await by.assign();
      const records = toRecords({
        events: [created(startMs, 'aa'), deleted(startMs + 5 * minuteMs, 'aa'), created(startMs + 6 * minuteMs, 'aa')],
      });
      for (const batch of whole ? [records] : records.map((record) => [record])) await by.batch(batch);
      await by.batch([], startMs + 10 * minuteMs);
      const findings = await db.pool.query('SELECT withdrawn_at, withdrawn_reason, detected_at FROM findings');
      const detected = new Date(startMs + 2 * minuteMs);
      expect(findings.rows).toEqual([{ withdrawn_at: null, withdrawn_reason: null, detected_at: detected }]);
      const incidents = await db.pool.query('SELECT state, resolution, resolved_by, version FROM incidents');
      expect(incidents.rows).toEqual([{ state: 'open', resolution: null, resolved_by: null, version: 3 }]);
      const history = await db.pool.query('SELECT kind FROM incident_events ORDER BY id');
      expect(history.rows.map(({ kind }) => kind)).toEqual(['opened', 'withdrawn', 'resolved', 'reopened', 'joined']);
      const jobs = await db.pool.query("SELECT 1 FROM queue WHERE purpose = 'remediate'");
      expect(jobs.rows).toHaveLength(1);
    },
  );

  test('what stands again leaves an incident that a person resolved', async () => {
    const by = await detectorOf(db, { rules: [syntheticRules[0]] });
    await by.assign();
    const [first, gone, again] = toRecords({
      events: [created(startMs, 'aa'), deleted(startMs + 5 * minuteMs, 'aa'), created(startMs + 6 * minuteMs, 'aa')],
    });
    await by.batch([first!, gone!]);
    const person = JSON.stringify({ via: 'cli', id: 'ada', name: 'ada' });
    await db.pool.query('UPDATE incidents SET resolved_by = $1', [person]);
    await by.batch([again!], startMs + 10 * minuteMs);
    const { rows } = await db.pool.query(
      'SELECT i.state, i.version, f.withdrawn_at FROM incidents i JOIN findings f ON f.incident = i.id',
    );
    expect(rows).toEqual([{ state: 'resolved', version: 2, withdrawn_at: null }]);
  });

  test.each(['listed', 'not-listed', 'unavailable'] as const)(
    'marks what it finds in a repeated body, asks about it at once where nobody can, and takes the answer %s',
    async (proof) => {
      const by = await detectorOf(db, { rules: [syntheticRules[1]], github: proof !== 'unavailable' });
      await by.assign();
      const bodySha256 = 'ab'.repeat(32);
      const branch = (nth: number): LoggedEventInput => ({
        ...created(startMs + nth, 'aa', `github:delivery-${nth}`),
        ...(nth === 2 ? {} : { bodySha256 }),
      });
      const log = toRecords({ events: [branch(1), branch(2), branch(3)] });
      // It counts to three; the third has the body of the first.
      await by.batch(log);
      const read = async () =>
        (await db.pool.query('SELECT subject, severity, unproven, lowered_reason FROM findings')).rows[0];
      expect(await read()).toMatchObject({ severity: 'medium', unproven: true, lowered_reason: null });
      const questions = await db.pool.query('SELECT event_id, proof FROM delivery_questions');
      const left = await db.pool.query('SELECT event_id, data FROM outbox');
      const answer = { 'tripline.delivery.id': 'github:delivery-3', 'tripline.delivery.proof': proof };
      if (proof === 'unavailable') {
        expect(questions.rows).toEqual([{ event_id: 'github:delivery-3', proof }]);
        expect(left.rows).toEqual([{ event_id: 'proof:github:delivery-3', data: answer }]);
      } else {
        expect(questions.rows).toEqual([{ event_id: 'github:delivery-3', proof: null }]);
        expect(left.rows).toEqual([]);
      }
      await database.db.pool.query("DELETE FROM queue WHERE purpose = 'remediate'");
      const event = at(startMs + 5, 'dev.cdeventsx.tripline-delivery.looked-up', answer as never, { id: 'proof:x' });
      const [record] = toRecords({ events: [event] });
      await by.batch([{ ...signInternal(record!, internalKey), offset: 3 }]);
      const jobs = await db.pool.query("SELECT 1 FROM queue WHERE purpose = 'remediate'");
      const after = await read();
      if (proof === 'listed') expect(after).toMatchObject({ severity: 'medium', unproven: false });
      if (proof === 'unavailable') expect(after).toMatchObject({ severity: 'medium', unproven: true });
      if (proof === 'not-listed') {
        expect(after).toMatchObject({ severity: 'low', unproven: true });
        expect(after.lowered_reason).toContain('does not name');
      }
      expect(jobs.rows).toHaveLength(proof === 'listed' ? 1 : 0);
    },
  );
});
