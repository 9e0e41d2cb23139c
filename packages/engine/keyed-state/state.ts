import { createCache } from './cache.ts';
import { joinedKey, joinKey, type StateKey } from './keys.ts';
import { shareUnchanged } from './structural-sharing.ts';
import type { UndoLog } from './undo-log.ts';

/** A row as Postgres keeps it. `expiresMs`: the log's time from which it counts as absent. */
export type StateRow = StateKey & { value: unknown; expiresMs: number };
/** A change to write: `json` is the new value, or null when the row goes. */
export type StateChange = StateKey & { json: string | null; expiresMs: number };

/**
 * What is known of one key. Of `json` and `value` one at least is there, and the other is made of it when it is wanted:
 * a value while a batch is judged, its text when it is written. `value` is shared with rules, so never changed in place.
 */
type Entry = {
  json: string | undefined;
  value: unknown;
  expiresMs: number;
  /** In how many batches a value was made of its text, or had been kept. */
  reads: number;
};
const absent: Entry = { json: 'null', value: undefined, expiresMs: Number.NEGATIVE_INFINITY, reads: 0 };
const entryOf = (row: StateRow): Entry => ({ json: undefined, value: row.value, expiresMs: row.expiresMs, reads: 0 });
function jsonOf(entry: Entry): string {
  entry.json ??= JSON.stringify(entry.value);
  return entry.json;
}
function parsed(entry: Entry): unknown {
  if (entry !== absent && entry.json !== undefined) entry.value ??= JSON.parse(entry.json);
  return entry.value;
}
/** Held for later batches as text, which is smaller, and no work for the collector. */
function keepAsText(entry: Entry): void {
  if (entry.json !== undefined) entry.value = undefined;
}
/** A row that is read by batch after batch, such as a busy branch's, is held as a value from so many reads on. */
const readsOfBusy = 3;
/** As much of such values is held, in characters of their text, of which each takes some four bytes. */
const busyLength = 4 * 2 ** 20;

/** One key while a batch is judged, so that its name is made and looked up once and not at every touch. */
export type Slot = {
  readonly workspace: string;
  readonly rule: string;
  readonly key: string;
  readonly joined: string;
  /** Of a row of the engine's own. */
  readonly isEngines: boolean;
  /** As it stood before the batch; undefined while that must be fetched. */
  before: Entry | undefined;
  /** As the batch leaves it, when it changes it. */
  next: Entry | undefined;
};
export const isHeld = (slot: Slot): boolean => slot.before !== undefined;

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
export function createState(options: { undoLog: UndoLog; cachedKeys: number; sharedBy?: (() => number) | undefined }) {
  const { undoLog, sharedBy = () => 1 } = options;
  const engineRows = new Map<string, Entry>();
  const cache = createCache<Entry>(options.cachedKeys, { sharedBy });
  const busy = createCache<Entry>(busyLength, { sharedBy, weigh: ({ json }) => json!.length, dropped: keepAsText });
  /** Keys that the batch named. */
  const slots = new Map<string, Slot>();

  const entry = (slot: Slot): Entry => slot.next ?? slot.before ?? absent;

  function slotOf(workspace: string, rule: string, key: string, joined = joinKey(workspace, rule, key)): Slot {
    let slot = slots.get(joined);
    if (slot === undefined) {
      const isEngines = rule.startsWith('@');
      const before = isEngines ? (engineRows.get(joined) ?? absent) : cache.get(joined);
      slot = { workspace, rule, key, joined, isEngines, before, next: undefined };
      slots.set(joined, slot);
    }
    return slot;
  }
  const slotNamed = (of: StateKey): Slot => slotOf(of.workspace, of.rule, of.key, joinedKey(of));

  function change(slot: Slot, next: Entry): void {
    const before = slot.next;
    slot.next = next;
    undoLog.note(() => {
      slot.next = before;
    });
  }

  return {
    /**
     * The key's place in this batch; ends with it. Unless it `isHeld`, its row must be given before it is read. `joined`: its
     * names as one string, where that is at hand.
     */
    slot: slotOf,

    /** Takes in what was fetched for `keys`; a key without a row is absent. */
    give(keys: readonly StateKey[], rows: readonly StateRow[]): void {
      for (const key of keys) slotNamed(key).before = absent;
      for (const row of rows) slotNamed(row).before = entryOf(row);
    },
    /** Takes in the engine's own rows when the partition is taken. */
    giveEngines(rows: readonly StateRow[]): void {
      for (const row of rows) engineRows.set(joinedKey(row), entryOf(row));
    },

    get(slot: Slot, nowMs: number): unknown {
      const found = entry(slot);
      return found.expiresMs > nowMs ? parsed(found) : undefined;
    },
    set(slot: Slot, value: unknown, keepMs: number, nowMs: number): void {
      if (!(keepMs > 0 && Number.isFinite(keepMs))) throw new Error('keepMs must be a positive number of milliseconds');
      const before = entry(slot);
      const former = parsed(before);
      const kept = shareUnchanged(value, former);
      const leftMs = before.expiresMs - nowMs;
      if (kept === former && leftMs >= keepMs && leftMs <= keepMs * slack * 2) return;
      change(slot, { json: undefined, value: kept, expiresMs: Math.ceil(nowMs + keepMs * slack), reads: 0 });
    },
    delete(slot: Slot): void {
      if (entry(slot) !== absent) change(slot, absent);
    },

    changes(): StateChange[] {
      const changes: StateChange[] = [];
      for (const { workspace, rule, key, joined, before, next } of slots.values()) {
        if (next === undefined || (next === absent && before === absent)) continue;
        const json = next === absent ? null : jsonOf(next);
        changes.push({ workspace, rule, key, joined, json, expiresMs: next === absent ? 0 : next.expiresMs });
      }
      return changes;
    },
    commit(): void {
      for (const { joined, isEngines: isOwn, before, next } of slots.values()) {
        const held = next ?? before;
        if (held === undefined) continue;
        if (!isOwn) {
          const isRead = before?.json !== undefined && before.value !== undefined;
          if (isRead && held !== absent) held.reads = before.reads + 1;
          if (held.reads < readsOfBusy) keepAsText(held);
          else if (isRead && held.json !== undefined) busy.set(joined, held);
          cache.set(joined, held);
        } else if (held === absent) engineRows.delete(joined);
        else if (next !== undefined) engineRows.set(joined, next);
      }
      slots.clear();
    },
    rollback(): void {
      slots.clear();
    },
    /** Lets go of the engine's rows that have expired; the database sweeps its own. */
    sweep(nowMs: number): void {
      for (const [joined, held] of engineRows) if (held.expiresMs <= nowMs) engineRows.delete(joined);
    },
  };
}
