import type { Timer } from '@tripline/contracts/rule';
import { joinKey } from './keyed-state/keys.ts';
import type { UndoLog } from './keyed-state/undo-log.ts';

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
export function createTimers(options: { undoLog: UndoLog }) {
  const { undoLog } = options;
  /** By workspace: most events clear a timer that was never set, where none is. */
  const index = new Map<string, Map<string, SetTimer>>();
  const heap: SetTimer[] = [];
  const changed = new Map<string, TimerChange>();

  type Named = { workspace: string; rule: string; id: string };
  const nameOf = (timer: Named) => joinKey(timer.workspace, timer.rule, timer.id);
  const standing = (timer: Named) => index.get(timer.workspace)?.get(nameOf(timer));
  function put(timer: SetTimer): void {
    const own = index.get(timer.workspace) ?? new Map<string, SetTimer>();
    own.set(nameOf(timer), timer);
    index.set(timer.workspace, own);
  }
  function remove(timer: Named): void {
    const own = index.get(timer.workspace);
    own?.delete(nameOf(timer));
    if (own?.size === 0) index.delete(timer.workspace);
  }

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

  function note(change: TimerChange): void {
    const name = nameOf(change);
    const timerBefore = standing(change);
    const changeBefore = changed.get(name);
    changed.set(name, change);
    undoLog.note(() => {
      if (changeBefore === undefined) changed.delete(name);
      else changed.set(name, changeBefore);
      if (timerBefore === undefined) remove(change);
      else {
        put(timerBefore);
        // It may have left the heap since; standing there twice does no harm.
        push(timerBefore);
      }
    });
  }

  return {
    give(timers: readonly SetTimer[]): void {
      for (const timer of timers) {
        put(timer);
        push(timer);
      }
    },
    set(timer: SetTimer): void {
      const before = standing(timer);
      if (before && before.dueMs === timer.dueMs && before.keys.join('\0') === timer.keys.join('\0')) return;
      note(timer);
      put(timer);
      push(timer);
    },
    clear(timer: Named): void {
      if (standing(timer) === undefined) return;
      note({ workspace: timer.workspace, rule: timer.rule, id: timer.id, dueMs: null, keys: [] });
      remove(timer);
    },
    /** The next timer that is due by `untilMs`; it stays until it is cleared. */
    next(untilMs: number): SetTimer | undefined {
      while (heap.length > 0) {
        const head = heap[0]!;
        if (head.dueMs > untilMs) return undefined;
        if (standing(head) === head) return head;
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
        if (standing(timer) === timer) due.push(timer);
        open.push(at * 2 + 1, at * 2 + 2);
      }
      return due;
    },
    changes: (): TimerChange[] => [...changed.values()],
    count: () => [...index.values()].reduce((sum, { size }) => sum + size, 0),
    /** The changes are written. Undoing what is not is the undo log's. */
    commit(): void {
      changed.clear();
    },
  };
}
