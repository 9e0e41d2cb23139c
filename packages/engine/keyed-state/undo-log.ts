/**
 * How to take back what a batch did in memory, newest first: whole when its transaction failed, in part when one rule
 * threw on one event.
 */
export type UndoLog = {
  /** Remembers how to undo the change that was just made. */
  note: (undo: () => void) => void;
  mark: () => number;
  /** Undoes all that was noted since `mark`. */
  revert: (mark: number) => void;
  /** Keeps what was done: nothing of it can be undone any more. */
  forget: () => void;
};

export function createUndoLog(): UndoLog {
  const undos: (() => void)[] = [];
  return {
    note: (undo) => {
      undos.push(undo);
    },
    mark: () => undos.length,
    revert: (mark) => {
      while (undos.length > mark) undos.pop()!();
    },
    forget: () => {
      undos.length = 0;
    },
  };
}
