import { appendWithin } from '@tripline/stream/append-within';
import type { NewRecord, Stream } from '@tripline/stream/stream';
import { RecordTooLargeError, StreamUnavailableError } from '@tripline/stream/stream';

/** Where records went. Both are on disk. */
export type Kept = 'log' | 'spool';

/** What the appender does with a batch that the log does not take; resolves for each record whether it was kept. */
export type Fallback = (records: readonly NewRecord[], cause: Error) => Promise<boolean[]>;

/** Neither the log nor the spool can keep the record. */
export class NotKeptError extends Error {
  readonly code = 'NOT_KEPT';
}

type Waiting = { record: NewRecord; resolve: (kept: Kept) => void; reject: (error: Error) => void };

/**
 * Appends what concurrent requests bring in as few batches as there can be, without a timer: one append is on its way,
 * whatever comes meanwhile is the next one, up to the end of the event loop's turn. Alone, a request waits for nothing;
 * under load, the log receives batches.
 */
export function createAppender(options: {
  stream: Stream;
  /** True while older records wait in the spool: newer ones must not overtake them. */
  behind: () => boolean;
  spool: Fallback;
  /** An append that takes longer counts as the log being away, in ms. GitHub waits 10 s. */
  timeoutMs: number;
  observeAppend: (seconds: number) => void;
}) {
  const { stream } = options;
  const maxBatch = 1000;
  const maxBatchBytes = 4 * 1024 * 1024;
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;

  function take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of waiting) {
      if (count === maxBatch || (count > 0 && bytes + record.value.length > maxBatchBytes)) break;
      bytes += record.value.length;
      count += 1;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  async function appendToLog(records: readonly NewRecord[]): Promise<void> {
    const startedMs = performance.now();
    await appendWithin(stream, records, options.timeoutMs);
    options.observeAppend((performance.now() - startedMs) / 1000);
  }

  async function spool(batch: readonly Waiting[], cause: Error): Promise<void> {
    const kept = await options.spool(
      batch.map(({ record }) => record),
      cause,
    );
    batch.forEach(({ resolve, reject }, index) => {
      if (kept[index]) resolve('spool');
      else reject(new NotKeptError('the log is away and the spool is full', { cause }));
    });
  }

  async function keep(batch: readonly Waiting[]): Promise<void> {
    if (options.behind()) return spool(batch, new StreamUnavailableError('older records wait in the spool'));
    try {
      await appendToLog(batch.map(({ record }) => record));
      for (const { resolve } of batch) resolve('log');
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) return spool(batch, error as Error);
      if (batch.length === 1) return batch[0]!.reject(error);
      // One of them is too large: appended one by one, only that one fails. What was appended already is a duplicate by
      // its id.
      for (const one of batch) await keep([one]);
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      // What this turn still reads joins: under load that is half as many again.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const batch = take();
      try {
        await keep(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    running = undefined;
  }

  return {
    /**
     * Resolves when the record is on disk, saying whether in the log or in the spool.
     * @throws {RecordTooLargeError} the log will never take it. {@link NotKeptError}: try again later.
     */
    append(record: NewRecord): Promise<Kept> {
      return new Promise((resolve, reject) => {
        waiting.push({ record, resolve, reject });
        running ??= run();
      });
    },
    /** Resolves when nothing is waiting any more. */
    async settled(): Promise<void> {
      while (running) await running;
    },
  };
}
