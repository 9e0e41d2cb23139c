import type { Finding, Growth } from '@tripline/contracts/finding';
import type { DeliveryQuestion, LookUp } from '@tripline/contracts/job';
import type { StreamRecord } from '@tripline/stream/stream';
import type { StateChange } from './keyed-state/state.ts';
import type { SetTimer, TimerChange } from './timers.ts';

/** A finding taken back. `atMs`: the log's time. */
export type Retraction = { findingId: string; workspace: string; rule: string; reason: string; atMs: number };

/**
 * What changes of a finding that stands. `proven`: what it rests on is proved, so it is no longer `unproven`. `lowered`: it
 * stays at low severity, told and acted upon no more, because of `reason`. `grown`: it was found again with more, of which
 * `evidence` and `entities` are what is new, and `severity` is there where it rose. `superseded`: a narrower rule says the same,
 * or no longer does. `atMs`: the log's time.
 */
export type FindingChange = {
  findingId: string;
  workspace: string;
  rule: string;
  atMs: number;
  reason?: string;
  /** Of `superseded`: the finding of a narrower rule that says the same; null where none does any more. */
  by?: string | null;
} & Growth;

/** What rules said, in the order in which they said it; incidents depend on it. */
export type FindingVerdict =
  | { kind: 'found'; finding: Finding; supersededBy?: string }
  /** Found again after it was retracted: it stands as it was found first. `finding.detectedAt` is the moment. */
  | { kind: 'reinstated'; finding: Finding; supersededBy?: string }
  | { kind: 'retracted'; retraction: Retraction }
  | { kind: 'proven' | 'lowered' | 'grown' | 'superseded'; change: FindingChange };

/** What is dead-lettered: a record that cannot be read (`rule` null), or one rule's part of an event or timer. */
export type Poison = {
  rule: string | null;
  reason: string;
  record: StreamRecord | null;
  timer: SetTimer | null;
};

/** All effects of a batch. None of them takes effect before it is committed. */
export type Effects = {
  /** The log's time that was reached, ms since the epoch. */
  logTimeMs: number;
  state: StateChange[];
  timers: TimerChange[];
  verdicts: FindingVerdict[];
  lookUps: { workspace: string; lookup: LookUp }[];
  /** Deliveries about which the provider's list is to be asked. */
  questions: DeliveryQuestion[];
  /** Workspaces that occur for the first time. */
  newWorkspaces: string[];
  /** Ids and body hashes to remember, packed; null when there are none. */
  dedup: Uint8Array | null;
  poison: Poison[];
  /** `duplicates`: deliveries that were received before and dropped. `repeated`: those of an equal body under another id. */
  counts: { records: number; judged: number; duplicates: number; repeated: number; timersFired: number };
};

/** Why something is dead-lettered, free of record content. */
export function reasonOf(error: unknown): string {
  // JSON faults quote the text, which may hold what should not be copied.
  if (error instanceof SyntaxError) return 'the value is no valid JSON';
  const message = error instanceof Error ? error.message : String(error);
  return message.toWellFormed().replaceAll('\0', '\ufffd').slice(0, 1000);
}
