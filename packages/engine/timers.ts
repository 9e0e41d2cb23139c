import type { Timer } from '@tripline/rules/contract';
import type { Journal } from './journal.ts';
import { joinKey } from './keys.ts';

/** A timer of one rule in one workspace. */
export type SetTimer = Timer & { workspace: string; rule: string };
/** A change to write: `dueMs` null means that the timer is gone. */
export type TimerChange = {
  workspace: string;
  rule: string;
  id: string;
  dueMs: number | null;
  keys: readonly string[];
};

/** The one order in which timers fire: due time, then workspace, rule and id by code unit. */
function firesBefore(a: SetTimer, b: SetTimer): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs;
  return joinKey(a.workspace, a.rule, a.id) < joinKey(b.workspace, b.rule, b.id);
}

export type Timers = ReturnType<typeof createTimers>;

/**
 * All timers of one partition: an index by name and a binary heap by due time. The heap may hold timers that were
 * moved or cleared; one counts only while the index names that very object.
 */
export function createTimers(options: { journal: Journal }) {
  const { journal } = options;
  const index = new Map<string, SetTimer>();
  const heap: SetTimer[] = [];
  const changed = new Map<string, TimerChange>();

  const nameOf = (timer: { workspace: string; rule: string; id: string }) =>
    joinKey(timer.workspace, timer.rule, timer.id);

  function push(timer: SetTimer): void {
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!firesBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }
  function dropHead(): void {
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && firesBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!firesBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }

  function note(name: string, change: TimerChange): void {
    const timerBefore = index.get(name);
    const changeBefore = changed.get(name);
    changed.set(name, change);
    journal.note(() => {
      if (changeBefore === undefined) changed.delete(name);
      else changed.set(name, changeBefore);
      if (timerBefore === undefined) index.delete(name);
      else {
        index.set(name, timerBefore);
        // It may have left the heap since; standing there twice does no harm.
        push(timerBefore);
      }
    });
  }

  return {
    give(timers: readonly SetTimer[]): void {
      for (const timer of timers) {
        index.set(nameOf(timer), timer);
        push(timer);
      }
    },
    set(timer: SetTimer): void {
      const name = nameOf(timer);
      const before = index.get(name);
      if (before && before.dueMs === timer.dueMs && before.keys.join('\0') === timer.keys.join('\0')) return;
      note(name, timer);
      index.set(name, timer);
      push(timer);
    },
    clear(timer: { workspace: string; rule: string; id: string }): void {
      const name = nameOf(timer);
      if (!index.has(name)) return;
      note(name, { workspace: timer.workspace, rule: timer.rule, id: timer.id, dueMs: null, keys: [] });
      index.delete(name);
    },
    /** The next timer that is due by `untilMs`; it stays until it is cleared. */
    next(untilMs: number): SetTimer | undefined {
      while (heap.length > 0) {
        const head = heap[0]!;
        if (index.get(nameOf(head)) === head) return head.dueMs <= untilMs ? head : undefined;
        dropHead();
      }
      return undefined;
    },
    /** Every timer due by `untilMs`, in no order, without taking any. */
    dueBy(untilMs: number): SetTimer[] {
      const due: SetTimer[] = [];
      const open = [0];
      while (open.length > 0) {
        const at = open.pop()!;
        const timer = heap[at];
        if (timer === undefined || timer.dueMs > untilMs) continue;
        if (index.get(nameOf(timer)) === timer) due.push(timer);
        open.push(at * 2 + 1, at * 2 + 2);
      }
      return due;
    },
    changes: (): TimerChange[] => [...changed.values()],
    count: () => index.size,
    /** The changes are written. Undoing what is not is the journal's. */
    commit(): void {
      changed.clear();
    },
  };
}
