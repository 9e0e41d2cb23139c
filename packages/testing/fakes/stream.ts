import { type NewRecord, RecordTooLargeError, type Stream, StreamUnavailableError } from '@tripline/stream/stream';

/** A log in memory that can be taken away, made slow or made narrow. For tests only. */
export function fakeStream() {
  const appended: NewRecord[] = [];
  const batches: number[] = [];
  const stream = {
    appended,
    /** How many records each append brought, those that failed included. */
    batches,
    /** Appends fail. */
    away: false,
    /** Appends wait for this. */
    gate: undefined as Promise<void> | undefined,
    maxRecordBytes: Number.POSITIVE_INFINITY,
    async append(records: readonly NewRecord[]) {
      batches.push(records.length);
      await stream.gate;
      if (stream.away) throw new StreamUnavailableError('the log is away');
      if (records.some((record) => record.value.length > stream.maxRecordBytes))
        throw new RecordTooLargeError('too large');
      return records.map((record) => ({ topic: record.topic, partition: 0, offset: appended.push(record) - 1 }));
    },
    /** Nobody reads it. */
    async consume() {
      return { stop: async () => {} };
    },
    async offsets() {
      return [];
    },
    async offsetsSince() {
      return new Map<number, number>();
    },
    async check() {
      if (stream.away) throw new StreamUnavailableError('the log is away');
    },
  };
  return stream as typeof stream & Stream;
}
