import { describe, expect, test } from 'vitest';
import { createState } from './state.ts';
import { createUndoLog } from './undo-log.ts';

const [hour, nowMs] = [3_600_000, 1_000_000];
const long = 'x'.repeat(500_000);

function stateOf() {
  const undoLog = createUndoLog();
  const state = createState({ undoLog, cachedKeys: 1000 });
  /** One batch, which begins with what is stored at first. */
  function batch<T>(key: string, act: (value: unknown, set: (value: unknown) => void, remove: () => void) => T): T {
    const slot = state.slot('acme', 'rule', key);
    if (slot.before === undefined) state.give([{ workspace: 'acme', rule: 'rule', key }], []);
    const set = (value: unknown) => state.set(slot, value, hour, nowMs);
    const answer = act(state.get(slot, nowMs), set, () => state.delete(slot));
    state.changes();
    undoLog.forget();
    state.commit();
    return answer;
  }
  const read = (key: string) => batch(key, (value) => value);
  return { batch, read };
}

describe('a row that batch after batch reads', () => {
  test('is held as a value, and is what it was last set to', () => {
    const { batch, read } = stateOf();
    batch('busy', (_, set) => set({ n: 0 }));
    for (let n = 1; n <= 5; n += 1) batch('busy', (value, set) => set({ n: (value as { n: number }).n + 1 }));
    expect(read('busy')).toEqual({ n: 5 });
    expect(read('busy')).toBe(read('busy'));
  });

  test('is held as text again where others are read more lately', () => {
    const { batch, read } = stateOf();
    const keys = Array.from({ length: 12 }, (_, n) => `row ${n}`);
    for (const key of keys) batch(key, (_, set) => set({ key, long }));
    const reads = keys.map((key) => {
      for (let n = 0; n < 4; n += 1) read(key);
      return read(key);
    });
    // All of them are more than is held.
    expect(read(keys[0]!)).not.toBe(reads[0]);
    expect(read(keys[0]!)).toEqual(reads[0]);
    expect(read(keys.at(-1)!)).toBe(reads.at(-1));
  });

  test('is absent once it was deleted', () => {
    const { batch, read } = stateOf();
    batch('busy', (_, set) => set({ n: 0 }));
    for (let n = 0; n < 5; n += 1) read('busy');
    batch('busy', (_value, _set, remove) => remove());
    expect(read('busy')).toBeUndefined();
  });
});
