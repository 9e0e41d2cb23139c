/**
 * The log, as every room sees it. Two backends pass one suite (packages/testing/stream.conformance.ts): Kafka (kafka/)
 * and a Postgres table (postgres/).
 *
 * Promises: `append` resolves only when the records are on disk (Kafka: acks=all). Within a partition, records are
 * handed over in order of offset, one batch at a time. A partition has at most one owner that may commit: a consumer
 * that lost it notices by its own fencing (packages/db/positions.ts), not by the log. The reader decides where to
 * resume (`onAssigned`); the log keeps no positions for it.
 */
export type StreamRecord = {
  topic: string;
  partition: number;
  offset: number;
  /** Append time by the log's own clock, ms since the epoch; never runs backwards within a partition. */
  appendedAtMs: number;
  key: string;
  headers: Record<string, string>;
  value: Buffer | null;
};

export type NewRecord = { topic: string; key: string; headers: Record<string, string>; value: Buffer };
export type Appended = { topic: string; partition: number; offset: number };

export type Batch = {
  topic: string;
  partition: number;
  /** At least one record unless `caughtUpAtMs` is set. */
  records: readonly StreamRecord[];
  /**
   * Set when, after these records, the partition held nothing more: the log's clock at that moment, ms since the
   * epoch. No record appended later will bear an earlier time. With no records it is a tick that lets timers fire.
   */
  caughtUpAtMs: number | null;
  /** Aborted when the partition is lost or the consumer stops: drop everything that is not committed. */
  lost: AbortSignal;
};

export type ConsumerHandlers = {
  /** The partition is ours from now on. Returns the offset to start from. Called again whenever `onBatch` threw. */
  onAssigned: (partition: { topic: string; partition: number }) => Promise<number>;
  /**
   * Handles a batch; when it resolves, the next one follows. When it throws, the partition is assigned again
   * (`onAssigned`) after a growing pause and the batch is delivered again: the handler itself dead-letters poison
   * records with `deadLetter`.
   */
  onBatch: (batch: Batch) => Promise<void>;
  /** The partition is no longer ours. */
  onLost: (partition: { topic: string; partition: number }) => Promise<void>;
};

export type ConsumerOptions = {
  topic: string;
  /** Consumers of one group share the partitions among them. */
  group: string;
  /** At most so many records a batch. */
  maxRecords?: number;
  /** How often a caught-up partition gets a tick (an empty batch), in ms; no ticks when absent. */
  tickMs?: number;
  /**
   * For consumers without time pressure: how long a caught-up partition rests after a batch, in ms, so that records
   * that arrive meanwhile become one batch; no rest when absent.
   */
  restMs?: number;
  /**
   * How long a member of the group that is frozen keeps its partitions, in ms; 10 s when absent. For consumers that keep no state, to
   * whom losing one for a moment costs little. Kafka allows no less than its 6 s.
   */
  leaseMs?: number;
  handlers: ConsumerHandlers;
};

export type Consumer = {
  /** Partitions owned at this moment. */
  owned: () => readonly number[];
  /** The error that keeps it from reading now, such as a revoked right; null or absent while nothing does. */
  fault?: () => Error | null;
  /** Waits for running handlers, then gives its partitions back. */
  stop: () => Promise<void>;
};

export type Stream = {
  backend: 'kafka' | 'embedded';
  /**
   * Creates missing topics; never changes an existing one, but throws when an essential setting (partitions, append
   * time) differs.
   */
  ensureTopics: (topics: readonly TopicSpec[]) => Promise<void>;
  /**
   * Appends in order per key; resolves when all are on disk.
   * @throws {StreamUnavailableError} the log is unavailable: retry or spool. {@link RecordTooLargeError}: the log will
   *   never accept it.
   */
  append: (records: readonly NewRecord[]) => Promise<Appended[]>;
  consume: (options: ConsumerOptions) => Promise<Consumer>;
  /** The offset that the next record will get, and the first one still kept, by partition. */
  offsets: (topic: string) => Promise<{ partition: number; first: number; next: number }[]>;
  /**
   * By partition, the offset from which on every record was appended at `sinceMs` or later, by the log's clock; where none was, its
   * end. For a consumer that begins and needs no more than the last days.
   */
  offsetsSince: (topic: string, sinceMs: number) => Promise<ReadonlyMap<number, number>>;
  /** Reads records from `from` (inclusive), at most `limit`, outside of any group: for replay and `tripline trail`. */
  read: (position: { topic: string; partition: number; from: number; limit: number }) => Promise<StreamRecord[]>;
  /** Resolves when an append would now succeed; rejects with {@link StreamUnavailableError} otherwise. */
  check: () => Promise<void>;
  close: () => Promise<void>;
};

export type TopicSpec = { topic: string; partitions: number; retentionMs: number; maxRecordBytes: number };

/** Topic names, the same for both backends. */
export const topics = { events: 'tripline.events', deadLetters: 'tripline.dead-letters' } as const;

/** The log cannot be reached or does not acknowledge. Records of a failed append may or may not be in the log. */
export class StreamUnavailableError extends Error {
  readonly code = 'STREAM_UNAVAILABLE';
}

/**
 * The log cannot be used with its present configuration. The message says why and what to do; retrying does not help.
 */
export class StreamUnfitError extends Error {
  readonly code = 'STREAM_UNFIT';
}

/** One record is larger than the topic accepts. Retrying does not help. */
export class RecordTooLargeError extends Error {
  readonly code = 'RECORD_TOO_LARGE';
}
