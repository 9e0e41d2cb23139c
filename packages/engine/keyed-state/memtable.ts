import { entryEnd, highAt, keyAt, lowAt, type Stored, storedAt } from './entries.ts';
import type { EntryRef } from './merge-blocks.ts';

/** Words of a slot: high, low, place of the flush's bytes (from 1), where the entry begins. */
const slotWords = 4;
/** Of a table that is new: what the least memtable comes to hold before it is made a run, so that few are ever laid out anew. */
const firstSlots = 8192;

export type Memtable = ReturnType<typeof createMemtable>;

/**
 * What the flushes hold that are not merged yet, the newest change of each key: their bytes as they are, under one
 * open-addressed table by hash, so that a hundred thousand keys are no work for the collector.
 */
export function createMemtable() {
  const chunks: Buffer[] = [];
  let slots = new Uint32Array(firstSlots * slotWords);
  let keys = 0;
  let bytes = 0;
  let newest = 0;

  /** Where the key of an entry stands, or the free place where it would. */
  function place(high: number, low: number, isKey: (chunk: Buffer, at: number) => boolean): number {
    const mask = slots.length / slotWords - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = slot * slotWords;
      const chunk = slots[at + 2]!;
      if (chunk === 0) return at;
      if (slots[at] === high && slots[at + 1] === low && isKey(chunks[chunk - 1]!, slots[at + 3]!)) return at;
    }
  }
  function grow(): void {
    const before = slots;
    slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += slotWords) {
      if (before[at + 2] === 0) continue;
      slots.set(
        before.subarray(at, at + slotWords),
        place(before[at]!, before[at + 1]!, () => false),
      );
    }
  }

  return {
    /** Takes in the entries of a flush, which is newer than all before. */
    add(flush: number, entries: Buffer): void {
      chunks.push(entries);
      newest = flush;
      bytes += entries.length;
      for (let at = 0; at < entries.length; at = entryEnd(entries, at)) {
        if ((keys + 1) * 2 * slotWords > slots.length) grow();
        const [high, low] = [highAt(entries, at), lowAt(entries, at)];
        let key: string | undefined;
        const found = place(high, low, (chunk, there) => {
          key ??= keyAt(entries, at);
          return keyAt(chunk, there) === key;
        });
        if (slots[found + 2] === 0) keys += 1;
        slots[found] = high;
        slots[found + 1] = low;
        slots[found + 2] = chunks.length;
        slots[found + 3] = at;
      }
    },
    find(joined: string, high: number, low: number): Stored | undefined {
      const found = place(high, low, (chunk, at) => keyAt(chunk, at) === joined);
      const chunk = slots[found + 2]!;
      return chunk === 0 ? undefined : storedAt(chunks[chunk - 1]!, slots[found + 3]!);
    },
    /** The entries whose hash begins between `from` and `to`, both included, in no order. */
    *between(from: number, to: number): Generator<EntryRef> {
      for (let at = 0; at < slots.length; at += slotWords) {
        const high = slots[at]!;
        if (slots[at + 2] === 0 || high < from || high > to) continue;
        yield { bytes: chunks[slots[at + 2]! - 1]!, at: slots[at + 3]!, high, low: slots[at + 1]!, age: 0 };
      }
    },
    keys: () => keys,
    /** What is held, in bytes; what was overwritten counts too. */
    bytes: () => bytes,
    /** The newest flush taken in; 0 when none was. */
    newest: () => newest,
  };
}
