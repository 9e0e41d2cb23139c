import type { LoggedEvent } from '@tripline/contracts/event';
import type { StreamRecord } from '@tripline/stream/stream';
import type { Effects } from './effects.ts';
import type { Slot } from './keyed-state/state.ts';
import type { Learning } from './learn-facts.ts';
import type { ConfiguredRule } from './settings.ts';

/** One rule's prepared part in one event: the keys that it touches, or why it cannot be judged. */
export type Reading = {
  configured: ConfiguredRule;
  keys: readonly string[];
  slots: readonly Slot[];
  fault: string | null;
};

/** A record of the batch, as far as it was read. */
export type Step = {
  record: StreamRecord;
  atMs: number;
  workspace: string;
  event: LoggedEvent | null;
  learnings: readonly Learning[];
  readings: readonly Reading[];
  /** Its body was received before under another id. */
  repeated: boolean;
  /** Why the record cannot be read. */
  fault: string | null;
};

/** What is processed, and when; `event` is null where a timer is due. */
export type Moment = { workspace: string; nowMs: number; event: LoggedEvent | null; unproven: boolean };

/** The batch in progress: what was read of it, and the results so far. One object, reused for every batch. */
export type Batch = Pick<Effects, 'verdicts' | 'lookUps' | 'questions' | 'newWorkspaces' | 'poison' | 'counts'> & {
  steps: Step[];
  /** The log's time of its last record, up to which timers are due, ms. */
  lastRecordMs: number;
  untilMs: number;
  /** The log's time that is reached, ms. */
  logTimeMs: number;
};

export const createBatch = (): Batch => ({
  steps: [],
  lastRecordMs: 0,
  untilMs: 0,
  logTimeMs: 0,
  ...{ verdicts: [], lookUps: [], questions: [], newWorkspaces: [], poison: [] },
  counts: { records: 0, judged: 0, duplicates: 0, repeated: 0, timersFired: 0 },
});

/** Resets it for the next batch. `logTimeMs`: the committed log time. */
export function beginBatch(batch: Batch, records: number, logTimeMs: number): void {
  batch.steps = [];
  batch.lastRecordMs = logTimeMs;
  batch.counts.records = records;
  batch.counts.duplicates = 0;
  forgetResults(batch, logTimeMs);
}

/** Discards results, and keeps what was read. */
export function forgetResults(batch: Batch, logTimeMs: number): void {
  const { verdicts, lookUps, questions, newWorkspaces, poison, counts } = batch;
  for (const list of [verdicts, lookUps, questions, newWorkspaces, poison]) list.length = 0;
  Object.assign(counts, { judged: 0, repeated: 0, timersFired: 0 });
  batch.logTimeMs = logTimeMs;
}
