import type pg from 'pg';
import { chainHash, chainStart, type StoredRecord, searchable } from './trail.ts';

/** One thing that is wrong with the trail. */
export type TrailFault = {
  kind: 'changed' | 'missing' | 'inserted' | 'no-head' | 'no-rows';
  topic: string;
  partition: number;
  /** The row; for `missing` the first offset that may be gone; for `no-head` and `no-rows` the end of what is there. */
  offset: number;
  eventId: string | null;
  /** A sentence. */
  what: string;
};

export type TrailVerdict = {
  rows: number;
  chains: { topic: string; partition: number; rows: number; lastOffset: number; hash: string }[];
  /** At most `maxFaults`; `faultCount` counts all. */
  faults: TrailFault[];
  faultCount: number;
};

type Row = StoredRecord & { eventId: string | null; copiesMatch: boolean; hash: Buffer };
type Head = {
  topic: string;
  partition: number;
  firstOffset: number;
  lastOffset: number;
  rowCount: number;
  hash: Buffer;
};

const maxFaults = 100;
const rowsPerFetch = 1000;

/**
 * Reads the whole trail in order, in one snapshot, and hashes every chain anew. A chain cannot say who changed a row
 * together with every hash after it and the head; the printed head hashes, kept elsewhere, can.
 */
export async function verifyTrail(pool: pg.Pool): Promise<TrailVerdict> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const heads = await readHeads(client);
    const verdict: TrailVerdict = { rows: 0, chains: [], faults: [], faultCount: 0 };
    const report = (fault: TrailFault) => {
      verdict.faultCount += 1;
      if (verdict.faults.length < maxFaults) verdict.faults.push(fault);
    };
    let chain: ReturnType<typeof followChain> | undefined;
    let place = '';
    for await (const row of rowsInOrder(client)) {
      if (place !== chainName(row)) {
        if (chain) verdict.chains.push(chain.end());
        place = chainName(row);
        chain = followChain(row, heads.get(place), report);
        heads.delete(place);
      }
      chain!.take(row);
      verdict.rows += 1;
    }
    if (chain) verdict.chains.push(chain.end());
    for (const { topic, partition, firstOffset, lastOffset } of heads.values()) {
      const what = `every row from offset ${firstOffset} to ${lastOffset} is gone`;
      report({ kind: 'no-rows', topic, partition, offset: lastOffset, eventId: null, what });
    }
    return verdict;
  } finally {
    await client.query('ROLLBACK').catch(() => {});
    client.release();
  }
}

const chainName = (row: { topic: string; partition: number }) => `${row.topic}/${row.partition}`;

/** Holds the rows of one chain against each other and against its head. Looks one row ahead: only that tells an inserted row from a changed one. */
function followChain(
  { topic, partition }: { topic: string; partition: number },
  head: Head | undefined,
  report: (fault: TrailFault) => void,
) {
  let rows = 0;
  let last: Row | undefined;
  let waiting: Row | undefined;
  let faults = 0;

  const fault = (kind: TrailFault['kind'], row: { offset: number; eventId: string | null }, what: string) => {
    faults += 1;
    report({ kind, topic, partition, offset: row.offset, eventId: row.eventId, what });
  };
  const follows = (row: Row) => chainHash(last?.hash ?? chainStart, row).equals(row.hash);

  function judge(row: Row, next: Row | undefined): void {
    rows += 1;
    const expected = last ? last.offset + 1 : head?.firstOffset;
    if (row.offset === last?.offset) {
      fault('inserted', row, 'the offset is there twice, and the log gives an offset once');
      return;
    }
    if (head && (row.offset < head.firstOffset || row.offset > head.lastOffset)) {
      fault('inserted', row, `the recorder wrote offsets ${head.firstOffset} to ${head.lastOffset} only`);
      return;
    }
    if (!follows(row)) {
      if (next !== undefined && follows(next)) {
        fault('inserted', row, 'the recorder did not write it: the chain fits without it');
        return;
      }
      if (expected !== undefined && row.offset > expected) {
        const gone = { offset: expected, eventId: null };
        fault('missing', gone, `${describeGap(expected, row.offset - 1)} before event ${row.eventId ?? 'without id'}`);
      } else {
        fault(
          'changed',
          row,
          'the row is not what its hash was made of, or the row before it was changed with its hash',
        );
      }
    } else if (!row.copiesMatch) {
      fault('changed', row, 'event_id, event_type or workspace is not what the headers say');
    }
    last = row;
  }

  return {
    take(row: Row): void {
      if (waiting) judge(waiting, row);
      waiting = row;
    },
    end(): TrailVerdict['chains'][number] {
      if (waiting) judge(waiting, undefined);
      const lastOffset = last?.offset ?? -1;
      const at = { offset: lastOffset, eventId: last?.eventId ?? null };
      if (!head) fault('no-head', at, 'the chain has no head: whether rows were cut off its end cannot be told');
      else if (lastOffset < head.lastOffset) {
        const gone = { offset: lastOffset + 1, eventId: null };
        fault('missing', gone, `${describeGap(lastOffset + 1, head.lastOffset)} at the end`);
      } else if (faults === 0 && !last?.hash.equals(head.hash)) {
        fault('changed', at, 'the last row does not have the hash that the head of the chain says');
      } else if (faults === 0 && rows !== head.rowCount) {
        fault('missing', at, `${head.rowCount} rows were written, ${rows} are there`);
      }
      return { topic, partition, rows, lastOffset, hash: last?.hash.toString('hex') ?? '' };
    },
  };
}

function describeGap(from: number, to: number): string {
  return from === to ? `the row at offset ${from} is gone,` : `the rows at offsets ${from} to ${to} are gone,`;
}

async function readHeads(client: pg.ClientBase): Promise<Map<string, Head>> {
  const { rows } = await client.query('SELECT * FROM trail_heads');
  return new Map(
    rows.map((row) => [
      chainName(row),
      {
        topic: row.topic,
        partition: row.partition,
        firstOffset: Number(row.first_offset),
        lastOffset: Number(row.last_offset),
        rowCount: Number(row.row_count),
        hash: row.hash,
      },
    ]),
  );
}

/** Every row in chain order through a cursor: the day partitions' primary keys are merged, nothing is sorted or held. */
async function* rowsInOrder(client: pg.ClientBase): AsyncGenerator<Row> {
  await client.query(
    `DECLARE every_row NO SCROLL CURSOR FOR
     SELECT topic, partition, "offset", (extract(epoch FROM appended_at) * 1000)::float8 AS appended_at_ms,
            event_id, event_type, workspace, key, headers::text AS headers, value, hash
     FROM trail ORDER BY topic, partition, "offset", appended_at`,
  );
  for (;;) {
    const { rows } = await client.query(`FETCH ${rowsPerFetch} FROM every_row`);
    for (const row of rows) yield toRow(row);
    if (rows.length < rowsPerFetch) return;
  }
}

function toRow(row: Record<string, unknown>): Row {
  const headers = row['headers'] as string;
  const copies = searchable(readHeaders(headers));
  return {
    topic: row['topic'] as string,
    partition: row['partition'] as number,
    offset: Number(row['offset']),
    appendedAtMs: row['appended_at_ms'] as number,
    key: row['key'] as Buffer,
    headers,
    value: row['value'] as Buffer | null,
    hash: row['hash'] as Buffer,
    eventId: row['event_id'] as string | null,
    copiesMatch:
      copies.eventId === row['event_id'] &&
      copies.eventType === row['event_type'] &&
      copies.workspace === row['workspace'],
  };
}

/** A tampered row may hold any JSON here; its hash will say so. */
function readHeaders(text: string): Record<string, unknown> {
  const headers: unknown = JSON.parse(text);
  return typeof headers === 'object' && headers !== null ? (headers as Record<string, unknown>) : {};
}
