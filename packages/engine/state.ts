import type { Journal } from './journal.ts';
import { joinKey, type StateKey, splitKey } from './keys.ts';
import { createRecent } from './recent.ts';

/** A row as Postgres keeps it. `expiresMs`: the log's time from which it counts as absent. */
export type StateRow = StateKey & { value: unknown; expiresMs: number };
/** A change to write: `json` is the new value, or null when the row goes. */
export type StateChange = StateKey & { json: string | null; expiresMs: number };

/**
 * What is known of one key. Of `json` and `value` one at least is there, and the other is made of it when it is wanted:
 * most values are written more often than read. `value` is shared with rules, so never changed in place.
 */
type Entry = { json: string | undefined; value: unknown; expiresMs: number };
const absent: Entry = { json: 'null', value: undefined, expiresMs: Number.NEGATIVE_INFINITY };
const entryOf = (row: StateRow): Entry => ({ json: undefined, value: row.value, expiresMs: row.expiresMs });
const jsonOf = (entry: Entry): string => (entry.json ??= JSON.stringify(entry.value));
/** Never what a rule gave to `set`: what it reads later is what it would read after a restart. */
const parsed = (entry: Entry): unknown =>
  entry.json === undefined ? entry.value : (entry.value ??= JSON.parse(entry.json));

/**
 * A row lives half as long again as was asked. So an equal value needs no write while at least what was asked is left,
 * and what a rule asked for is kept at least so long.
 */
const slack = 1.5;

export type KeyedState = ReturnType<typeof createState>;

/**
 * Keyed state of one partition: the changes of the batch in progress over what the batch loaded over what some
 * earlier batches committed. Rows of the engine itself (rule names that begin with `@`) are all held, never evicted.
 */
export function createState(options: { journal: Journal; cachedKeys: number }) {
  const { journal } = options;
  const engineRows = new Map<string, Entry>();
  const cache = createRecent<Entry>(options.cachedKeys);
  /** Keys that the batch may touch, as they stood before it. */
  const loaded = new Map<string, Entry>();
  const changed = new Map<string, Entry>();

  const isEngines = (joined: string) => joined.charCodeAt(joined.indexOf('\0') + 1) === 64;
  const entry = (joined: string): Entry =>
    changed.get(joined) ?? loaded.get(joined) ?? engineRows.get(joined) ?? absent;

  function change(joined: string, next: Entry): void {
    const before = changed.get(joined);
    changed.set(joined, next);
    journal.note(() => {
      if (before === undefined) changed.delete(joined);
      else changed.set(joined, before);
    });
  }

  return {
    /** Makes sure that the batch may read `joined`; false when it must be fetched first. */
    hold(joined: string): boolean {
      if (loaded.has(joined)) return true;
      const cached = cache.get(joined);
      if (cached === undefined) return false;
      loaded.set(joined, cached);
      return true;
    },
    isHeld: (joined: string): boolean => loaded.has(joined),

    /** Takes in what was fetched for `keys`; a key without a row is absent. */
    give(keys: readonly StateKey[], rows: readonly StateRow[]): void {
      for (const { workspace, rule, key } of keys) loaded.set(joinKey(workspace, rule, key), absent);
      for (const row of rows) {
        loaded.set(joinKey(row.workspace, row.rule, row.key), entryOf(row));
      }
    },
    /** Takes in the engine's own rows when the partition is taken. */
    giveEngines(rows: readonly StateRow[]): void {
      for (const row of rows) {
        engineRows.set(joinKey(row.workspace, row.rule, row.key), entryOf(row));
      }
    },

    get(joined: string, nowMs: number): unknown {
      const found = entry(joined);
      return found.expiresMs > nowMs ? parsed(found) : undefined;
    },
    set(joined: string, value: unknown, keepMs: number, nowMs: number): void {
      if (!(keepMs > 0 && Number.isFinite(keepMs))) throw new Error('keepMs must be a positive number of milliseconds');
      const json = JSON.stringify(value);
      if (json === undefined) throw new Error('state must be JSON');
      const before = entry(joined);
      const leftMs = before.expiresMs - nowMs;
      const lastsWell = leftMs >= keepMs && leftMs <= keepMs * slack * 2;
      if (lastsWell && jsonOf(before) === json) return;
      change(joined, { json, value: undefined, expiresMs: Math.ceil(nowMs + keepMs * slack) });
    },
    delete(joined: string): void {
      if (entry(joined) !== absent) change(joined, absent);
    },

    changes(): StateChange[] {
      const changes: StateChange[] = [];
      for (const [joined, next] of changed) {
        const before = loaded.get(joined) ?? engineRows.get(joined) ?? absent;
        if (next === absent && before === absent) continue;
        const json = next === absent ? null : jsonOf(next);
        changes.push({ ...splitKey(joined), json, expiresMs: next === absent ? 0 : next.expiresMs });
      }
      return changes;
    },
    commit(): void {
      for (const [joined, next] of changed) {
        if (!isEngines(joined)) loaded.set(joined, next);
        else if (next === absent) engineRows.delete(joined);
        else engineRows.set(joined, next);
      }
      for (const [joined, held] of loaded) cache.set(joined, held);
      changed.clear();
      loaded.clear();
    },
    rollback(): void {
      changed.clear();
      loaded.clear();
    },
    /** Lets go of the engine's rows that have expired; the database sweeps its own. */
    sweep(nowMs: number): void {
      for (const [joined, held] of engineRows) if (held.expiresMs <= nowMs) engineRows.delete(joined);
    },
  };
}
