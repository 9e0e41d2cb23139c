import { type Appended, type Stream, type StreamRecord, topics } from './stream.ts';

/** Longest reason kept, in characters. */
const reasonLimit = 1000;

/**
 * Appends a record that no reader can process to the dead-letter topic, unchanged, with its position and the reason in
 * headers. `reason` must not quote the record, which may contain a secret.
 * @throws {StreamUnavailableError} the log is away: do not move past the record.
 */
export async function deadLetter(stream: Stream, record: StreamRecord, reason: string): Promise<Appended> {
  const [appended] = await stream.append([
    {
      topic: topics.deadLetters,
      key: record.key,
      headers: {
        ...record.headers,
        tripline_reason: reason.slice(0, reasonLimit),
        tripline_topic: record.topic,
        tripline_partition: String(record.partition),
        tripline_offset: String(record.offset),
      },
      value: record.value ?? Buffer.alloc(0),
    },
  ]);
  return appended!;
}
