import type { NewRecord, StreamRecord } from '../stream.ts';

/** More than a reader that keeps up ever leaves unread. */
const mostRecords = 2000;
const mostBytes = 4 * 1024 * 1024;

/**
 * Records that a writer in the reader's own process appended to a partition, as stored in the log: they need not be
 * read from the database. A reader that falls behind reads there.
 */
export type TailCache = ReturnType<typeof createTailCache>;

export function createTailCache(topic: string, partition: number) {
  let records: StreamRecord[] = [];
  let bytes = 0;

  function clear(): void {
    records = [];
    bytes = 0;
  }

  return {
    /** Only once the record is on disk. */
    add({ key, headers, value }: NewRecord, offset: number, appendedAtMs: number): void {
      const last = records.at(-1);
      // Another process may have appended in between.
      if (last !== undefined && last.offset + 1 !== offset) clear();
      else if (records.length === mostRecords || bytes + value.length > mostBytes) clear();
      // The log stores the key as UTF-8, in which a lone surrogate does not survive.
      records.push({ topic, partition, offset, appendedAtMs, key: key.toWellFormed(), headers, value });
      bytes += value.length;
    },
    /** The records from `from` on, at most `limit`; none when the first of them is not here. */
    take(from: number, limit: number): StreamRecord[] {
      const [first] = records;
      // The cached records come after those that the reader still lacks.
      if (first === undefined || from < first.offset) return [];
      const end = from - first.offset + limit;
      const taken = records.slice(end - limit, end);
      records = records.slice(end);
      if (records.length === 0) bytes = 0;
      return taken;
    },
  };
}
