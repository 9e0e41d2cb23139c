import type { Db } from '@tripline/db/database';
import { FencedError, takePartition } from '@tripline/db/positions';
import type { StateChange } from '@tripline/engine/keyed-state/state';
import { topics } from '@tripline/stream/stream';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { describe, expect, test } from 'vitest';
import { openState, readState } from './state-keeper.ts';
import { keepBatch } from './store/batches.ts';
import { readRuns } from './store/state-store.ts';

const key = { consumer: 'detector', topic: topics.events, partition: 0 };
const small = { memtableBytes: 20_000, blockCacheBytes: 10_000, blockBytes: 1000, blocksPerGroup: 8 };
const row = (number: number) => ({ workspace: 'acme', rule: 'some-rule', key: `key-${number}` });

describe('the keyed state of a partition', () => {
  let db: Db;
  forEachTest((database) => {
    db = database.as('detector');
  });

  async function open() {
    const { next, epoch } = await takePartition(db.pool, key, { keepsState: true });
    const state = await openState(db, { ...key, epoch }, 0, small);
    let expected = next;
    return {
      state,
      async write(changes: StateChange[]) {
        const flush = state.pack(changes);
        const flushes = flush === null ? [] : [flush];
        await keepBatch(db.pool, { ...key, epoch, expected, next: expected + 1, logTimeMs: 0, flushes, dedup: [] });
        expected += 1;
        if (flush !== null) state.commit(flush);
      },
    };
  }
  const changesFrom = (from: number, json: string | null = '{"a":1}') =>
    Array.from({ length: 100 }, (_, place) => ({ ...row(from + place), json, expiresMs: json === null ? 0 : 1000 }));

  test('reads what was written last, merged or not, by this owner or the one before', async () => {
    const first = await open();
    for (let from = 0; from < 4000; from += 100) {
      await first.write(changesFrom(from));
      await first.state.compact(0, false);
    }
    await first.write(changesFrom(100, '{"a":2}'));
    await first.write(changesFrom(300, null));
    const read = async (by: typeof first, number: number) => (await by.state.read([row(number)]))[0]?.value;
    const second = await open();
    for (const by of [first, second]) {
      expect(by.state.size().runs.length).toBeGreaterThan(0);
      expect(await Promise.all([0, 150, 350, 3999, 4000].map((number) => read(by, number)))).toEqual([
        { a: 1 },
        { a: 2 },
        undefined,
        { a: 1 },
        undefined,
      ]);
    }
    expect(await readState(db, key.partition, 999)).toHaveLength(3900);
    expect(await readState(db, key.partition, 1000)).toHaveLength(0);
  });

  test('is merged by its owner alone', async () => {
    const first = await open();
    for (let from = 0; from < 1000; from += 100) await first.write(changesFrom(from));
    const second = await open();
    await expect(first.state.compact(0, false)).rejects.toThrow(FencedError);
    expect(await readRuns(db.pool, key.partition)).toEqual([]);
    expect(await readState(db, key.partition, 0)).toHaveLength(1000);

    await second.write(changesFrom(0, null));
    await second.state.compact(0, false);
    for (let from = 0; from < 1000; from += 100) await second.write(changesFrom(from, '{"a":2}'));
    await second.state.compact(0, false);
    // The runs that were merged are still to be deleted.
    expect((await readRuns(db.pool, key.partition)).map(({ state }) => state)).toContain('dropped');
    const runs = await readRuns(db.pool, key.partition);
    await open();
    await expect(second.state.compact(0, true)).rejects.toThrow(FencedError);
    expect(await readRuns(db.pool, key.partition)).toEqual(runs);
    expect(await readState(db, key.partition, 0)).toHaveLength(1000);
  });
});
