import { type Appended, type Stream, type StreamRecord, topics } from './stream.ts';

/** Longest reason kept, in characters. */
const reasonLimit = 1000;

/**
 * Sets a record aside that no reader can use: appends it as it is to the dead-letter topic, with where it lay and why in
 * its headers. `reason` must not quote the record, which may hold a secret.
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
