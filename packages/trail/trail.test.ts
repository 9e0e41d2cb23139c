import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addToTrail, makeTrailDays, readTrailHead, type TrailRecord } from './trail.ts';
import { verifyTrail } from './verify-trail.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());
afterEach(() => fresh.db.pool.query('TRUNCATE trail, trail_heads, trail_bodies'));

const topic = 'tripline.events';
const midnightMs = Date.parse('2026-03-02T00:00:00Z');

function record(offset: number, change: Partial<TrailRecord> = {}): TrailRecord {
  return {
    topic,
    partition: 3,
    offset,
    appendedAtMs: midnightMs + (offset - 5) * 1000 + 7,
    key: 'acme',
    headers: { ce_type: 'dev.cdevents.change.merged', ce_id: `event-${offset}`, ce_workspace: 'acme' },
    value: Buffer.from(`{"n":${offset}}`),
    fault: null,
    ...change,
  };
}

/** Writes as the recorder does: days first, then rows and head in one transaction. */
async function write(records: readonly TrailRecord[]): Promise<void> {
  const { pool } = fresh.db;
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  await client.query('BEGIN');
  const first = records[0]!;
  await addToTrail(client, await readTrailHead(client, first.topic, first.partition), records);
  await client.query('COMMIT');
  client.release();
}

const ten = Array.from({ length: 10 }, (_, offset) => record(offset));
const verify = () => verifyTrail(fresh.db.pool);
const tamper = (sql: string, values: unknown[] = []) => fresh.db.pool.query(sql, values);

async function faults(): Promise<string[]> {
  const verdict = await verify();
  expect(verdict.faultCount).toBe(verdict.faults.length);
  return verdict.faults.map((fault) => `${fault.kind} ${fault.partition}/${fault.offset} ${fault.eventId ?? '-'}`);
}

describe('an untouched trail', () => {
  it('is sound across batches, days and partitions', async () => {
    await write(ten.slice(0, 4));
    await write(ten.slice(4));
    await write([record(0, { partition: 1 })]);
    expect(await verify()).toMatchObject({ rows: 11, faults: [], faultCount: 0 });
    const { rows } = await tamper('SELECT DISTINCT tableoid::regclass::text AS day FROM trail ORDER BY 1');
    expect(rows.map(({ day }) => day)).toEqual(['trail_20260301', 'trail_20260302']);
  });

  it('is sound when the log itself skipped offsets, and when it began late', async () => {
    await write([record(7), record(9)]);
    await write([record(40)]);
    expect(await faults()).toEqual([]);
  });

  it('holds more rows than one insert or one fetch takes', async () => {
    await write(Array.from({ length: 2501 }, (_, offset) => record(offset, { appendedAtMs: midnightMs + offset })));
    expect(await verify()).toMatchObject({ rows: 2501, faultCount: 0 });
  });

  it('holds whatever bytes a record has', async () => {
    const odd = { ce_id: 'nul\0', ce_type: '\ud800', __proto__: 'x', empty: '' } as Record<string, string>;
    Object.defineProperty(odd, '__proto__', { value: 'own', enumerable: true });
    await write([
      record(0, { value: null, fault: 'the record has no value' }),
      record(1, { value: Buffer.alloc(0), key: '' }),
      record(2, { value: Buffer.from([0, 255, 92, 120]), headers: odd, key: 'nul\0', fault: 'header ce_id' }),
    ]);
    expect(await faults()).toEqual([]);
    const { rows } = await tamper('SELECT event_id, event_type, value FROM trail ORDER BY "offset"');
    expect(rows[2]).toEqual({ event_id: null, event_type: null, value: Buffer.from([0, 255, 92, 120]) });
    await tamper(`UPDATE trail SET value = NULL WHERE "offset" = 1`);
    expect(await faults()).toEqual(['changed 3/1 event-1']);
  });
});

describe('a body that comes again', () => {
  const told = (offset: number, id: string, body: string, change: Record<string, string> = {}) => {
    const headers = { ...record(offset).headers, ce_id: id, ce_bodysha256: body.repeat(64), ...change };
    return record(offset, { headers, appendedAtMs: midnightMs + offset });
  };
  const repeats = async () => {
    const { rows } = await tamper('SELECT event_id, repeats FROM trail ORDER BY "offset"');
    return rows.map((row) => `${row.event_id} ${row.repeats ?? '-'}`);
  };

  it('is kept, and marked with who told it first, in one batch and across batches', async () => {
    const log = [
      told(0, 'one', 'a'),
      told(1, 'two', 'a'),
      told(2, 'three', 'b'),
      record(3),
      told(4, 'four', 'a'),
      told(5, 'one', 'a'),
      told(6, 'two', 'a'),
      told(7, 'five', 'a', { ce_type: 'dev.cdevents.change.created' }),
      told(8, 'six', 'a', { ce_workspace: 'other' }),
      told(9, 'seven', 'b'),
    ];
    const right = ['one -', 'two one', 'three -', 'event-3 -', 'four one', 'one -', 'two one', 'five -', 'six -'];
    for (const size of [10, 3, 1]) {
      for (let from = 0; from < log.length; from += size) await write(log.slice(from, from + size));
      expect(await repeats()).toEqual([...right, 'seven three']);
      expect(await faults()).toEqual([]);
      await tamper('TRUNCATE trail, trail_heads, trail_bodies');
    }
  });

  it('is known whatever its age', async () => {
    await write([told(0, 'one', 'a')]);
    await write([{ ...told(1, 'two', 'a'), appendedAtMs: midnightMs + 400 * 86_400_000 }]);
    expect(await repeats()).toEqual(['one -', 'two one']);
    expect(await faults()).toEqual([]);
  });
});

describe('tampering is found and named', () => {
  it.each([
    ['value', `value = '{"n":55}'::bytea`],
    ['headers', `headers = '{"ce_id":"event-4","ce_type":"dev.cdevents.change.merged","ce_workspace":"other"}'`],
    ['key', `key = 'other'::bytea`],
    ['time', `appended_at = appended_at + interval '1 millisecond'`],
    ['hash', `hash = sha256('x')`],
    ['searchable copy', `workspace = 'other'`],
  ])('a changed %s', async (_what, set) => {
    await write(ten);
    await tamper(`UPDATE trail SET ${set} WHERE "offset" = 4`);
    expect(await faults()).toContain('changed 3/4 event-4');
  });

  it('a changed event id, by the id that is there now', async () => {
    await write(ten);
    await tamper(`UPDATE trail SET event_id = 'forged' WHERE "offset" = 4`);
    expect(await faults()).toEqual(['changed 3/4 forged']);
  });

  it('a deleted row in the middle', async () => {
    await write(ten);
    await tamper('DELETE FROM trail WHERE "offset" = 4');
    const [fault] = (await verify()).faults;
    expect(fault).toMatchObject({ kind: 'missing', partition: 3, offset: 4 });
    expect(fault?.what).toBe('the row at offset 4 is gone, before event event-5');
  });

  it('several deleted rows, at both ends too', async () => {
    await write(ten);
    await tamper('DELETE FROM trail WHERE "offset" IN (0, 1, 5, 6, 8, 9)');
    expect(await faults()).toEqual(['missing 3/0 -', 'missing 3/5 -', 'missing 3/8 -']);
  });

  it('a deleted tail', async () => {
    await write(ten);
    await tamper('DELETE FROM trail WHERE "offset" >= 8');
    expect((await verify()).faults).toMatchObject([
      { kind: 'missing', offset: 8, what: 'the rows at offsets 8 to 9 are gone, at the end' },
    ]);
  });

  it('a whole chain that is gone, and a chain whose head is gone', async () => {
    await write(ten);
    await write([record(0, { partition: 1 })]);
    await tamper('DELETE FROM trail WHERE partition = 1');
    await tamper('DELETE FROM trail_heads WHERE partition = 3');
    expect(await faults()).toEqual(['no-head 3/9 event-9', 'no-rows 1/0 -']);
  });

  it.each([
    ['between two', 4],
    ['before the first', 0],
    ['after the last', 9],
  ])('a row inserted %s', async (_where, beside) => {
    await write(ten.map((row) => ({ ...row, offset: row.offset * 2 + 2 })));
    const offset = beside === 9 ? 30 : beside * 2 + 1;
    await tamper(
      `INSERT INTO trail SELECT topic, partition, $1, appended_at, 'forged', event_type, workspace, fault, key, headers, value, hash
       FROM trail WHERE "offset" = $2`,
      [offset, beside * 2 + 2],
    );
    expect(await faults()).toEqual([`inserted 3/${offset} forged`]);
  });

  it('a second row at an offset', async () => {
    await write(ten);
    for (const shift of [-1, 1]) {
      await tamper(
        `INSERT INTO trail SELECT topic, partition, "offset", appended_at + $1 * interval '1 ms', 'forged', event_type, workspace, fault, key, headers, value, hash
         FROM trail WHERE "offset" = 4 AND event_id <> 'forged'`,
        [shift],
      );
      expect(await faults()).toEqual(['inserted 3/4 forged']);
      await tamper(`DELETE FROM trail WHERE event_id = 'forged'`);
    }
  });

  it('two rows whose content was swapped', async () => {
    await write(ten);
    await tamper(
      `UPDATE trail a SET event_id = b.event_id, headers = b.headers, value = b.value, hash = b.hash
       FROM trail b WHERE (a."offset", b."offset") IN ((3, 6), (6, 3))`,
    );
    const found = await faults();
    expect(found).toContain('changed 3/3 event-6');
    expect(found).toContain('changed 3/6 event-3');
  });

  it('two rows whose offsets were swapped', async () => {
    await write(ten);
    await tamper(`UPDATE trail SET "offset" = 9 - "offset" WHERE "offset" IN (3, 6)`);
    const found = await faults();
    expect(found).toContain('changed 3/3 event-6');
    expect(found).toContain('changed 3/6 event-3');
  });

  it('among very many, counted even when not all are listed', async () => {
    await write(Array.from({ length: 300 }, (_, offset) => record(offset)));
    await tamper(`UPDATE trail SET value = '{}' WHERE "offset" < 250`);
    const verdict = await verify();
    expect(verdict.faultCount).toBe(250);
    expect(verdict.faults).toHaveLength(100);
  });
});

it('makes a day once, whoever asks at the same time', async () => {
  const records = [record(0, { appendedAtMs: Date.parse('2027-07-07T12:00:00Z') })];
  await Promise.all(Array.from({ length: 8 }, () => makeTrailDays(fresh.db.pool, records, new Set())));
  const { rows } = await tamper(
    `SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'trail'::regclass AND inhrelid::regclass::text ~ '202707'`,
  );
  expect(rows[0].n).toBe(2);
});
