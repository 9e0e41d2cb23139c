import { loadConfig } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { connectStream } from '@tripline/stream/open';
import { type NewRecord, type Stream, topics } from '@tripline/stream/stream';

/** The embedded log of a database, with its topics; one partition, so that all that comes stands in one order. */
export async function openLog(db: Db, url: string, partitions = 1): Promise<Stream> {
  const logger = createLogger({ service: 'test', level: 'silent' });
  const stream = connectStream({ config: loadConfig({ DATABASE_URL: url }, '/'), db, logger, clock: systemClock });
  const common = { partitions, retentionMs: 10 ** 12, maxRecordBytes: 1_000_000 };
  await stream.ensureTopics([
    { topic: topics.events, ...common },
    { topic: topics.deadLetters, ...common, partitions: 1 },
  ]);
  return stream;
}

/** Lays records down as if they had come `everyMs` apart since `startMs`. */
export async function layLog(
  { db, url }: { db: Db; url: string },
  records: readonly NewRecord[],
  times: { startMs: number; everyMs: number },
): Promise<void> {
  const stream = await openLog(db, url);
  await stream.append(records);
  await db.pool.query('UPDATE log SET appended_at_ms = $1 + "offset" * $2', [times.startMs, times.everyMs]);
  await stream.close();
}
