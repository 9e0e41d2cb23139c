import type { NewRecord, StreamRecord } from '../stream.ts';

/** More than a reader that keeps up ever leaves. */
const mostRecords = 2000;
const mostBytes = 4 * 1024 * 1024;

/**
 * What was appended to a partition by a writer in the reader's own process, as the log has it: what is read from here
 * need not be read from the database. Whoever falls behind reads there.
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
      // Another process may have appended between.
      if (last !== undefined && last.offset + 1 !== offset) clear();
      else if (records.length === mostRecords || bytes + value.length > mostBytes) clear();
      // A half of a surrogate pair does not survive in UTF-8, as which the log keeps the key.
      records.push({ topic, partition, offset, appendedAtMs, key: key.toWellFormed(), headers, value });
      bytes += value.length;
    },
    /** The records from `from` on, at most `limit`; none when the first of them is not here. */
    take(from: number, limit: number): StreamRecord[] {
      const [first] = records;
      // What lies here comes after what the reader still lacks.
      if (first === undefined || from < first.offset) return [];
      const end = from - first.offset + limit;
      const taken = records.slice(end - limit, end);
      records = records.slice(end);
      if (records.length === 0) bytes = 0;
      return taken;
    },
  };
}
