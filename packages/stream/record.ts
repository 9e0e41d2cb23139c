import { type NewRecord, RecordTooLargeError } from './stream.ts';

/** Size of a record as limits count it: key, headers and value, with the log's overhead for each. */
export function recordBytes(record: NewRecord): number {
  let bytes = recordOverheadBytes + Buffer.byteLength(record.key) + record.value.length;
  for (const name in record.headers) {
    bytes += headerOverheadBytes + Buffer.byteLength(name) + Buffer.byteLength(record.headers[name]!);
  }
  return bytes;
}

/** An upper bound of `recordBytes` that needs no encoding: a UTF-16 unit takes three bytes at most. */
export function recordBytesAtMost({ key, value, headers }: NewRecord): number {
  let bytes = recordOverheadBytes + 3 * key.length + value.length;
  for (const name in headers) bytes += headerOverheadBytes + 3 * (name.length + headers[name]!.length);
  return bytes;
}

/** Kafka's varints, at their longest: lengths, deltas and attributes of a record, lengths of a header. */
const recordOverheadBytes = 32;
const headerOverheadBytes = 10;

/** @throws {RecordTooLargeError} naming the first record over the limit, by its id and key and never by its content. */
export function checkSizes(records: readonly NewRecord[], maxRecordBytes: (topic: string) => number): void {
  for (const record of records) {
    const limit = maxRecordBytes(record.topic);
    if (recordBytesAtMost(record) <= limit) continue;
    const bytes = recordBytes(record);
    if (bytes > limit) {
      const id = record.headers['ce_id'];
      throw new RecordTooLargeError(
        `a record for ${record.topic} (${id ? `event ${id}, ` : ''}key ${record.key}) has ${bytes} bytes; the topic takes ${limit}`,
      );
    }
  }
}
