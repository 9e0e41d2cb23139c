import type { Effects } from '@tripline/engine/effects';
import type { BatchRows } from './store/batches.ts';

/** A batch that was judged. */
export type Judged = {
  effects: Effects;
  /** Of the state that it changed, what rules keep; null when nothing. */
  flush: BatchRows['flushes'][number] | null;
  /** Where reading stands after it. */
  next: number;
  /** When it was handed over, ms since the epoch. */
  startedMs: number;
};

/** What was judged of a partition and does not stand in Postgres yet. */
export type PendingCommit = ReturnType<typeof createPendingCommit>;

/** `next`: the position that Postgres has. */
export function createPendingCommit(
  owner: Pick<BatchRows, 'consumer' | 'topic' | 'partition' | 'epoch'>,
  next: number,
) {
  let expected = next;
  let batches: Judged[] = [];
  let records = 0;
  return {
    add(judged: Judged): void {
      batches.push(judged);
      records += judged.effects.counts.records;
    },
    isEmpty: () => batches.length === 0,
    records: () => records,
    /** Hands over all of it, in order; undefined when there is nothing. */
    take(): { batches: readonly Judged[]; rows: BatchRows } | undefined {
      const last = batches.at(-1);
      if (last === undefined) return undefined;
      const rows: BatchRows = {
        ...owner,
        expected,
        next: last.next,
        logTimeMs: last.effects.logTimeMs,
        flushes: batches.flatMap(({ flush }) => flush ?? []),
        dedup: batches.flatMap(({ effects }) => effects.dedup ?? []),
      };
      const taken = batches;
      expected = last.next;
      batches = [];
      records = 0;
      return { batches: taken, rows };
    },
  };
}
