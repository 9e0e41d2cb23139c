import type { PositionKey } from '@tripline/db/positions';
import { FencedError } from '@tripline/db/positions';
import type { ClientBase, Pool } from 'pg';

/** Proof that its owner still owns a partition: what it writes beside its batches is fenced by this. */
export type Ownership = PositionKey & { epoch: number };

/** Types of packages/engine/keyed-state/state-store.ts. The tables keep former names: segment (flush), page (block), stretch (block group), print (fingerprint). */
export type FlushRow = { flush: number; entries: Buffer };
export type RunRow = {
  run: number;
  state: 'building' | 'standing' | 'dropped';
  newest: number;
  bits: number;
  keys: number;
  bytes: number;
  /** Runs that are merged into it; none when flushes are. */
  inputs: number[];
};
export type BlockRow = { run: number; block: number; entries: Buffer };
export type BlockRange = { run: number; first: number; last: number };
export type BlockGroupRow = Omit<RunRow, 'state' | 'keys' | 'bytes'> & {
  group: number;
  firstBlock: number;
  blocks: readonly Buffer[];
  counts: Uint32Array;
  fingerprints: Uint16Array;
  total: { keys: number; bytes: number };
  instead: { runs: readonly number[]; flushes: number } | null;
};

/** The flushes of a partition that are not merged yet, the oldest first. */
export async function readFlushes(client: ClientBase | Pool, partition: number): Promise<FlushRow[]> {
  const { rows } = await client.query<FlushRow>(
    'SELECT segment AS flush, entries FROM state_segments WHERE partition = $1 ORDER BY segment',
    [partition],
  );
  return rows;
}

export async function readRuns(client: ClientBase | Pool, partition: number): Promise<RunRow[]> {
  const { rows } = await client.query<RunRow>(
    `SELECT run, state, newest, bits, keys, bytes, to_json(inputs) AS inputs FROM state_runs WHERE partition = $1
     ORDER BY run`,
    [partition],
  );
  return rows;
}

/** The block groups of a run, in order and a few thousand at a time: there may be a hundred megabytes of them. */
export async function* readBlockGroups(
  client: ClientBase | Pool,
  of: { partition: number; run: number },
): AsyncGenerator<{ counts: Uint32Array; fingerprints: Uint16Array }> {
  const atOnce = 1000;
  for (let from = 0; ; from += atOnce) {
    const { rows } = await client.query<{ counts: Buffer; prints: Buffer }>(
      `SELECT counts, prints FROM state_stretches WHERE partition = $1 AND run = $2 AND stretch >= $3 AND stretch < $4
       ORDER BY stretch`,
      [of.partition, of.run, from, from + atOnce],
    );
    // Copied, because a Buffer need not lie where words may begin.
    for (const { counts, prints } of rows) {
      yield {
        counts: new Uint32Array(Uint8Array.from(counts).buffer),
        fingerprints: new Uint16Array(Uint8Array.from(prints).buffer),
      };
    }
    if (rows.length < atOnce) return;
  }
}

/** Reads many ranges of blocks in one query. */
export async function readBlocks(
  client: ClientBase | Pool,
  partition: number,
  ranges: readonly BlockRange[],
): Promise<BlockRow[]> {
  if (ranges.length === 0) return [];
  const { rows } = await client.query<BlockRow>(
    `SELECT p.run, p.page AS block, p.entries
     FROM json_to_recordset($2::json) AS r(run bigint, first integer, last integer)
     CROSS JOIN LATERAL (
       SELECT run, page, entries FROM state_pages
       WHERE partition = $1 AND run = r.run AND page BETWEEN r.first AND r.last
       OFFSET 0
     ) p`,
    [partition, JSON.stringify(ranges)],
  );
  return rows;
}

/**
 * Writes a block group of a run, and with the last one puts the run in place of what went into it: one statement, and so
 * one transaction.
 * @throws {FencedError} somebody else owns the partition.
 */
export async function writeBlockGroup(client: ClientBase | Pool, owner: Ownership, row: BlockGroupRow): Promise<void> {
  const { rows } = await client.query<{ owned: number }>(
    `WITH owned AS (
       SELECT 1 FROM positions WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4 FOR SHARE
     ), pages AS (
       INSERT INTO state_pages (partition, run, page, entries)
       SELECT $3, $5, $6::integer + place - 1, substring($7::bytea FROM at FOR bytes)
       FROM owned, unnest($8::integer[], $9::integer[]) WITH ORDINALITY AS p(at, bytes, place)
     ), stretch AS (
       INSERT INTO state_stretches (partition, run, stretch, counts, prints) SELECT $3, $5, $10, $11, $12 FROM owned
     ), run AS (
       INSERT INTO state_runs (partition, run, state, newest, bits, keys, bytes, inputs)
       SELECT $3, $5, $13, $14, $15, $16, $17, $20::bigint[] FROM owned
       ON CONFLICT (partition, run) DO UPDATE
         SET state = excluded.state, keys = excluded.keys, bytes = excluded.bytes
     ), gone AS (
       UPDATE state_runs r SET state = 'dropped' FROM owned WHERE r.partition = $3 AND r.run = ANY ($18::bigint[])
     ), merged AS (
       DELETE FROM state_segments s USING owned WHERE s.partition = $3 AND s.segment <= $19
     )
     SELECT count(*)::integer AS owned FROM owned`,
    [
      ...[owner.consumer, owner.topic, owner.partition, owner.epoch],
      ...[row.run, row.firstBlock, Buffer.concat(row.blocks), ...placesOf(row.blocks)],
      ...[row.group, bytesOf(row.counts), bytesOf(row.fingerprints)],
      ...[row.instead === null ? 'building' : 'standing', row.newest, row.bits, row.total.keys, row.total.bytes],
      ...[row.instead?.runs ?? [], row.instead?.flushes ?? 0, row.inputs],
    ],
  );
  if (rows[0]?.owned !== 1) throw lost(owner);
}

/** Where each block begins in all of them together, from 1 as SQL counts, and how long it is. */
function placesOf(blocks: readonly Buffer[]): [number[], number[]] {
  let at = 1;
  const starts = blocks.map(({ length }) => {
    const start = at;
    at += length;
    return start;
  });
  return [starts, blocks.map(({ length }) => length)];
}
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Uint32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/**
 * Deletes blocks of a run that no longer stands; with the last ones the run itself.
 * @throws {FencedError} somebody else owns the partition.
 */
export async function deleteBlocks(
  client: ClientBase | Pool,
  owner: Ownership,
  { run, first, last, isLast }: BlockRange & { isLast: boolean },
): Promise<void> {
  const { rows } = await client.query<{ owned: number }>(
    `WITH owned AS (
       SELECT 1 FROM positions WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4 FOR SHARE
     ), pages AS (
       DELETE FROM state_pages p USING owned WHERE p.partition = $3 AND p.run = $5 AND p.page BETWEEN $6 AND $7
     ), stretches AS (
       DELETE FROM state_stretches s USING owned WHERE $8 AND s.partition = $3 AND s.run = $5
     ), run AS (
       DELETE FROM state_runs r USING owned WHERE $8 AND r.partition = $3 AND r.run = $5 AND r.state <> 'standing'
     )
     SELECT count(*)::integer AS owned FROM owned`,
    [owner.consumer, owner.topic, owner.partition, owner.epoch, run, first, last, isLast],
  );
  if (rows[0]?.owned !== 1) throw lost(owner);
}

const lost = ({ consumer, topic, partition }: Ownership) =>
  new FencedError(`${consumer} no longer owns partition ${partition} of ${topic}`);
