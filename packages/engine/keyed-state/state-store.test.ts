import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createOverlay } from './entries.ts';
import { chooseMerge } from './merge-pages.ts';
import type { StateChange } from './state.ts';
import {
  createStateStore,
  type PageRange,
  type Segment,
  type StateStore,
  type StoredPage,
  type StoreOptions,
  type StoreWork,
  type StretchRow,
} from './state-store.ts';
import { createRunIndex } from './stored-run.ts';

let resumed = 0;
/** What Postgres would keep. */
function createTables() {
  const segments = new Map<number, Uint8Array>();
  const runs = new Map<number, { state: 'building' | 'standing' | 'dropped'; stretches: StretchRow[] }>();
  const pages = new Map<string, StoredPage>();
  const rangeOf = ({ run, first, last }: PageRange) =>
    Array.from({ length: last - first + 1 }, (_, place) => `${run}/${first + place}`);
  return {
    pages,
    addSegment: ({ segment, entries }: Segment) => segments.set(segment, entries),
    read: (ranges: readonly PageRange[]) => ranges.flatMap((range) => rangeOf(range).map((name) => pages.get(name)!)),
    write(row: StretchRow): void {
      const run = runs.get(row.run) ?? { state: 'building', stretches: [] };
      runs.set(row.run, run);
      run.stretches.push(row);
      for (const [place, entries] of row.pages.entries()) {
        const page = row.firstPage + place;
        pages.set(`${row.run}/${page}`, { run: row.run, page, entries });
      }
      if (row.instead === null) return;
      run.state = 'standing';
      for (const gone of row.instead.runs) runs.get(gone)!.state = 'dropped';
      for (const segment of segments.keys()) if (segment <= row.instead.segments) segments.delete(segment);
    },
    drop({ dropping }: Extract<StoreWork, { kind: 'drop' }>): void {
      for (const name of rangeOf(dropping)) pages.delete(name);
      if (dropping.isLast) runs.delete(dropping.run);
    },
    open(options: StoreOptions): StateStore {
      const list = [...runs].map(([run, { state, stretches }]) => {
        const { newest, bits, total, inputs } = stretches.at(-1)!;
        const maxKeys = inputs.reduce((sum, input) => sum + (runs.get(input)?.stretches.at(-1)?.total.keys ?? 0), 0);
        const index = createRunIndex(bits, state === 'standing' ? total.keys : maxKeys + total.keys);
        for (const stretch of stretches) index.add(stretch);
        return { state, run, newest, bits, ...total, inputs, index, stretches: stretches.length };
      });
      const building = list.find(({ state, inputs }) => state === 'building' && inputs.length > 0);
      if (building !== undefined) resumed += 1;
      return createStateStore(
        {
          segments: [...segments].sort(([a], [b]) => a - b).map(([segment, entries]) => ({ segment, entries })),
          runs: list.filter(({ state }) => state === 'standing').map((row) => ({ ...row, ...row.index.done() })),
          building: building ?? null,
          dropped: list.filter((row) => row.state !== 'standing' && row !== building),
        },
        options,
      );
    },
    overlay(nowMs: number) {
      const all = createOverlay();
      const standing = [...runs.values()].filter(({ state }) => state === 'standing');
      for (const { stretches } of standing.sort((a, b) => a.stretches[0]!.newest - b.stretches[0]!.newest)) {
        for (const page of stretches.flatMap((stretch) => stretch.pages)) all.add(page);
      }
      for (const [, entries] of [...segments].sort(([a], [b]) => a - b)) all.add(entries);
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
  const options = { recentBytes: 250, cachedPageBytes: 500, pageBytes: 250, pagesPerStretch: 2 };

  test('is a map, whatever is merged, expires, is lost on the way or read anew, and in whatever order', () => {
    let merges = 0;
    let stretches = 0;
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
          const segment = store.pack(changes)!;
          if (step.isLost) {
            store = tables.open(options);
            continue;
          }
          tables.addSegment(segment);
          store.commit(segment);
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
            stretches += 1;
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
        expect(inOrder(tables.overlay(nowMs))).toEqual(inOrder(expected));
      }
    };
    fc.assert(fc.property(someSteps, play), { numRuns: 60 });
    expect(merges).toBeGreaterThan(20);
    expect(stretches).toBeGreaterThan(merges);
    expect(resumed).toBeGreaterThan(5);
  });

  test('lets go of what expired and of the pages of what was merged', () => {
    const tables = createTables();
    const store = tables.open(options);
    for (let nowMs = 0; nowMs < 2000; nowMs += 10) {
      const changes = names.map((name) => ({
        ...name,
        key: `${name.key}@${nowMs}`,
        json: '{}',
        expiresMs: nowMs + 10,
      }));
      const segment = store.pack(changes)!;
      tables.addSegment(segment);
      store.commit(segment);
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
    const { recentKeys, runs } = store.size();
    expect(recentKeys + runs.reduce((sum, { keys }) => sum + keys, 0)).toBeLessThan(500);
    expect(tables.pages.size).toBeLessThan(100);
  });

  test('asks for no page of a key that is new, but for one in hundreds, and for one page of any other', () => {
    const tables = createTables();
    const store = tables.open({ recentBytes: 100_000, cachedPageBytes: 0 });
    const keys = (from: number) => Array.from({ length: 20_000 }, (_, n) => ({ ...names[0]!, key: `${from + n}` }));
    for (let from = 0; from < 20_000; from += 1000) {
      const changes = keys(from).slice(0, 1000);
      const segment = store.pack(changes.map((key) => ({ ...key, json: '{"some":"value"}', expiresMs: 1e9 })))!;
      tables.addSegment(segment);
      store.commit(segment);
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
    expect(() => search.give([])).toThrow('of 1 pages of keyed state, state_pages holds 0');
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
