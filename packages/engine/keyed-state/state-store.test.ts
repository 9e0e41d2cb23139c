import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMergedView } from './entries.ts';
import { chooseMerge } from './merge-blocks.ts';
import { createRunIndex } from './sorted-run.ts';
import type { StateChange } from './state.ts';
import {
  type BlockGroupRow,
  type BlockRange,
  createStateStore,
  type Flush,
  type StateStore,
  type StoredBlock,
  type StoreOptions,
  type StoreWork,
} from './state-store.ts';

let resumed = 0;
/** What Postgres would keep. */
function createTables() {
  const flushes = new Map<number, Uint8Array>();
  const runs = new Map<number, { state: 'building' | 'standing' | 'dropped'; groups: BlockGroupRow[] }>();
  const blocks = new Map<string, StoredBlock>();
  const rangeOf = ({ run, first, last }: BlockRange) =>
    Array.from({ length: last - first + 1 }, (_, place) => `${run}/${first + place}`);
  return {
    blocks,
    addSegment: ({ flush, entries }: Flush) => flushes.set(flush, entries),
    read: (ranges: readonly BlockRange[]) => ranges.flatMap((range) => rangeOf(range).map((name) => blocks.get(name)!)),
    write(row: BlockGroupRow): void {
      const run = runs.get(row.run) ?? { state: 'building', groups: [] };
      runs.set(row.run, run);
      run.groups.push(row);
      for (const [place, entries] of row.blocks.entries()) {
        const block = row.firstBlock + place;
        blocks.set(`${row.run}/${block}`, { run: row.run, block, entries });
      }
      if (row.instead === null) return;
      run.state = 'standing';
      for (const gone of row.instead.runs) runs.get(gone)!.state = 'dropped';
      for (const flush of flushes.keys()) if (flush <= row.instead.flushes) flushes.delete(flush);
    },
    drop({ dropping }: Extract<StoreWork, { kind: 'drop' }>): void {
      for (const name of rangeOf(dropping)) blocks.delete(name);
      if (dropping.isLast) runs.delete(dropping.run);
    },
    open(options: StoreOptions): StateStore {
      const list = [...runs].map(([run, { state, groups }]) => {
        const { newest, bits, total, inputs } = groups.at(-1)!;
        const maxKeys = inputs.reduce((sum, input) => sum + (runs.get(input)?.groups.at(-1)?.total.keys ?? 0), 0);
        const index = createRunIndex(bits, state === 'standing' ? total.keys : maxKeys + total.keys);
        for (const group of groups) index.add(group);
        return { state, run, newest, bits, ...total, inputs, index, groups: groups.length };
      });
      const building = list.find(({ state, inputs }) => state === 'building' && inputs.length > 0);
      if (building !== undefined) resumed += 1;
      return createStateStore(
        {
          flushes: [...flushes].sort(([a], [b]) => a - b).map(([flush, entries]) => ({ flush, entries })),
          runs: list.filter(({ state }) => state === 'standing').map((row) => ({ ...row, ...row.index.done() })),
          building: building ?? null,
          dropped: list.filter((row) => row.state !== 'standing' && row !== building),
        },
        options,
      );
    },
    mergedView(nowMs: number) {
      const all = createMergedView();
      const standing = [...runs.values()].filter(({ state }) => state === 'standing');
      for (const { groups } of standing.sort((a, b) => a.groups[0]!.newest - b.groups[0]!.newest)) {
        for (const block of groups.flatMap((group) => group.blocks)) all.add(block);
      }
      for (const [, entries] of [...flushes].sort(([a], [b]) => a - b)) all.add(entries);
      return all.rows(nowMs);
    },
  };
}

const names = Array.from({ length: 40 }, (_, place) => ({
  workspace: place % 3 === 0 ? 'acme' : 'größer',
  rule: 'some-rule',
  key: `key-${place}${'~'.repeat(place % 7)}`,
}));

type Step =
  | { kind: 'batch'; changes: [number, { value: number; keepMs: number } | null][]; isLost: boolean }
  | { kind: 'work'; isLost: boolean }
  | { kind: 'restart' }
  | { kind: 'later'; ms: number };

const someChanges = fc.uniqueArray(
  fc.tuple(
    fc.nat(names.length - 1),
    fc.option(fc.record({ value: fc.nat(), keepMs: fc.integer({ min: 1, max: 50 }) })),
  ),
  { selector: ([name]) => name, minLength: 1, maxLength: 12 },
);
const someSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('batch' as const), changes: someChanges, isLost: rarely() }),
    },
    { weight: 18, arbitrary: fc.record({ kind: fc.constant('work' as const), isLost: rarely() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('later' as const), ms: fc.integer({ min: 1, max: 20 }) }) },
  ),
  { minLength: 30, maxLength: 150, size: 'max' },
);
function rarely() {
  return fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });
}

describe('the state store', () => {
  const options = { memtableBytes: 250, blockCacheBytes: 500, blockBytes: 250, blocksPerGroup: 2 };

  test('is a map, whatever is merged, expires, is lost on the way or read anew, and in whatever order', () => {
    let merges = 0;
    let groups = 0;
    const play = (steps: readonly Step[]) => {
      const tables = createTables();
      const model = new Map<number, { json: string; expiresMs: number }>();
      let store = tables.open(options);
      let nowMs = 1000;
      const standing = () => {
        return [...model].filter(([, { expiresMs }]) => expiresMs > nowMs).map(([name]) => name);
      };
      for (const step of steps) {
        if (step.kind === 'later') nowMs += step.ms;
        else if (step.kind === 'restart') store = tables.open(options);
        else if (step.kind === 'batch') {
          const changes = step.changes.map(([name, set]): StateChange => {
            const json = set && JSON.stringify({ value: set.value });
            return { ...names[name]!, json, expiresMs: set === null ? 0 : nowMs + set.keepMs };
          });
          const flush = store.pack(changes)!;
          if (step.isLost) {
            store = tables.open(options);
            continue;
          }
          tables.addSegment(flush);
          store.commit(flush);
          for (const [place, [name]] of step.changes.entries()) {
            const { json, expiresMs } = changes[place]!;
            if (json === null) model.delete(name);
            else model.set(name, { json, expiresMs });
          }
        } else {
          const work = store.work(nowMs, true);
          if (work === undefined) continue;
          if (work.kind === 'drop') tables.drop(work);
          else {
            const row = work.merge(tables.read(work.reads));
            tables.write(row);
            groups += 1;
            if (row.instead !== null && row.instead.runs.length > 1) merges += 1;
            // Its answer is lost: the owner takes the partition anew.
            if (step.isLost) store = tables.open(options);
            else store.wrote(row);
            continue;
          }
          if (step.isLost) store = tables.open(options);
          else store.deleted(work.dropping);
        }
        const search = store.look(names);
        while (search.wanted.length > 0) search.give(tables.read(search.wanted));
        const found = search.rows.filter(({ expiresMs }) => expiresMs > nowMs);
        const expected = standing().map((name) => {
          const { json, expiresMs } = model.get(name)!;
          return { ...names[name]!, value: JSON.parse(json), expiresMs };
        });
        const inOrder = <Row extends { key: string }>(rows: Row[]) => rows.sort((a, b) => (a.key < b.key ? -1 : 1));
        expect(inOrder(found)).toEqual(inOrder(expected));
        expect(inOrder(tables.mergedView(nowMs))).toEqual(inOrder(expected));
      }
    };
    fc.assert(fc.property(someSteps, play), { numRuns: 60 });
    expect(merges).toBeGreaterThan(20);
    expect(groups).toBeGreaterThan(merges);
    expect(resumed).toBeGreaterThan(5);
  });

  test('lets go of what expired and of the blocks of what was merged', () => {
    const tables = createTables();
    const store = tables.open(options);
    for (let nowMs = 0; nowMs < 2000; nowMs += 10) {
      const changes = names.map((name) => ({
        ...name,
        key: `${name.key}@${nowMs}`,
        json: '{}',
        expiresMs: nowMs + 10,
      }));
      const flush = store.pack(changes)!;
      tables.addSegment(flush);
      store.commit(flush);
      for (let work = store.work(nowMs, true); work !== undefined; work = store.work(nowMs, true)) {
        if (work.kind === 'drop') {
          tables.drop(work);
          store.deleted(work.dropping);
        } else {
          const row = work.merge(tables.read(work.reads));
          tables.write(row);
          store.wrote(row);
        }
      }
    }
    // 8,000 keys came, of which 40 last.
    const { memtableKeys, runs } = store.size();
    expect(memtableKeys + runs.reduce((sum, { keys }) => sum + keys, 0)).toBeLessThan(500);
    expect(tables.blocks.size).toBeLessThan(100);
  });

  test('asks for no block of a key that is new, but for one in hundreds, and for one block of any other', () => {
    const tables = createTables();
    const store = tables.open({ memtableBytes: 100_000, blockCacheBytes: 0 });
    const keys = (from: number) => Array.from({ length: 20_000 }, (_, n) => ({ ...names[0]!, key: `${from + n}` }));
    for (let from = 0; from < 20_000; from += 1000) {
      const changes = keys(from).slice(0, 1000);
      const flush = store.pack(changes.map((key) => ({ ...key, json: '{"some":"value"}', expiresMs: 1e9 })))!;
      tables.addSegment(flush);
      store.commit(flush);
      for (let work = store.work(0, true); work !== undefined; work = store.work(0, true)) {
        if (work.kind === 'drop') store.deleted(work.dropping);
        else {
          const row = work.merge(tables.read(work.reads));
          tables.write(row);
          store.wrote(row);
        }
      }
    }
    const pagesOf = (asked: typeof names) => asked.filter((key) => store.look([key]).wanted.length > 0).length;
    expect(store.size().runs.length).toBeGreaterThan(0);
    expect(pagesOf(keys(1_000_000))).toBeLessThan(400);
    expect(pagesOf(keys(0))).toBeGreaterThan(10_000);
    const search = store.look(keys(0).slice(0, 1));
    expect(search.wanted.length).toBe(1);
    expect(() => search.give([])).toThrow('of 1 blocks of keyed state, state_pages holds 0');
  });
});

describe('chooseMerge', () => {
  test('keeps runs few, and writes a byte over few times', () => {
    let runs: { bytes: number }[] = [];
    let written = 0;
    let most = 0;
    const flushes = 5000;
    for (let flush = 0; flush < flushes; flush += 1) {
      runs = [{ bytes: 1 }, ...runs];
      for (let count = chooseMerge(runs, 1); count > 0; count = chooseMerge(runs, 1)) {
        const bytes = runs.slice(0, count).reduce((sum, run) => sum + run.bytes, 0);
        written += bytes;
        runs = [{ bytes }, ...runs.slice(count)];
      }
      most = Math.max(most, runs.length);
    }
    expect(most).toBeLessThan(30);
    expect(written / flushes).toBeLessThan(7);
  });
});
