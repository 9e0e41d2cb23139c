import { randomUUID } from 'node:crypto';
import { deadLetter } from '@tripline/stream/dead-letter';
import {
  type Batch,
  type Consumer,
  type NewRecord,
  RecordTooLargeError,
  type Stream,
  type StreamRecord,
  StreamUnavailableError,
  type TopicSpec,
  topics,
} from '@tripline/stream/stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

/** What a backend brings to the suite. */
export type StreamBackend = {
  /** Opens the log once more, as another process would. */
  open: () => Promise<Stream>;
  /** Breaks what connects every open stream to the log, and lets it come back. */
  interrupt: () => Promise<void>;
  close: () => Promise<void>;
};

const maxRecordBytes = 64 * 1024;
const soon = { timeout: 30_000, interval: 20 };

/** What every log must do, whichever backend it is. */
export function streamContract(name: string, start: () => Promise<StreamBackend>): void {
  describe(name, () => {
    let backend: StreamBackend;
    let stream: Stream;
    const opened: Stream[] = [];
    const consumers: Consumer[] = [];

    beforeAll(async () => {
      backend = await start();
      stream = await open();
    });
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()));
    });
    afterAll(async () => {
      await Promise.all(opened.map((one) => one.close()));
      await backend.close();
    });

    async function open(): Promise<Stream> {
      const one = await backend.open();
      opened.push(one);
      return one;
    }

    async function makeTopic(partitions = 4): Promise<string> {
      const spec = topicSpec(`t-${randomUUID()}`, partitions);
      await stream.ensureTopics([spec]);
      return spec.topic;
    }

    /** A consumer that keeps its positions in `positions`, as a room keeps them in Postgres, with their fence. */
    async function consume(options: {
      topic: string;
      from?: Stream;
      group?: string;
      positions?: Positions;
      tickMs?: number;
      restMs?: number;
      maxRecords?: number;
      handle?: (batch: Batch) => Promise<void> | void;
    }) {
      const positions = options.positions ?? newPositions();
      const seen = { batches: [] as Batch[], assigned: [] as number[], lost: [] as number[] };
      const epochs = new Map<number, number>();
      const consumer = await (options.from ?? stream).consume({
        topic: options.topic,
        group: options.group ?? `g-${randomUUID()}`,
        ...(options.tickMs === undefined ? {} : { tickMs: options.tickMs }),
        ...(options.restMs === undefined ? {} : { restMs: options.restMs }),
        ...(options.maxRecords === undefined ? {} : { maxRecords: options.maxRecords }),
        handlers: {
          async onAssigned({ partition }) {
            seen.assigned.push(partition);
            epochs.set(partition, positions.take(partition));
            return positions.next(partition);
          },
          async onBatch(batch) {
            await options.handle?.(batch);
            if (batch.lost.aborted) return;
            positions.commit(batch, epochs.get(batch.partition)!);
            seen.batches.push(batch);
          },
          async onLost({ partition }) {
            seen.lost.push(partition);
          },
        },
      });
      consumers.push(consumer);
      return { consumer, positions, ...seen };
    }

    test('keeps order per partition, one partition a key, and hands records over as they came', async () => {
      const topic = await makeTopic();
      const { positions } = await consume({ topic });
      const sent = Array.from({ length: 600 }, (_, n) => record(topic, `w${n % 7}`, `value ${n}`));
      const appended = (await Promise.all(chunks(sent, 25).map((chunk) => stream.append(chunk)))).flat();
      await expect.poll(() => positions.records.length, soon).toBe(sent.length);

      for (const [partition, records] of Map.groupBy(positions.records, (one) => one.partition)) {
        expect(records.map((one) => one.offset)).toEqual(records.map((_, n) => n));
        for (const [n, one] of records.entries()) {
          if (n > 0) expect(one.appendedAtMs).toBeGreaterThanOrEqual(records[n - 1]!.appendedAtMs);
          const index = appended.findIndex((at) => at.partition === partition && at.offset === one.offset);
          expect(one).toMatchObject({ key: sent[index]!.key, headers: sent[index]!.headers });
          expect(one.value).toEqual(sent[index]!.value);
        }
      }
      for (const records of Map.groupBy(positions.records, (one) => one.key).values()) {
        expect(new Set(records.map((one) => one.partition)).size).toBe(1);
        const numbers = records.map((one) => Number(one.value!.toString().slice('value '.length)));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
      expect(Math.abs(positions.records.at(-1)!.appendedAtMs - Date.now())).toBeLessThan(60_000);
    });

    test('resumes where its reader says, by another consumer of the same group', async () => {
      const topic = await makeTopic(1);
      const group = randomUUID();
      await stream.append([record(topic, 'w', 'one'), record(topic, 'w', 'two')]);
      const first = await consume({ topic, group });
      await expect.poll(() => texts(first.positions.records), soon).toEqual(['one', 'two']);
      await first.consumer.stop();
      expect(first.lost).toEqual([0]);
      expect(first.consumer.owned()).toEqual([]);
      await stream.append([record(topic, 'w', 'three')]);
      const second = await consume({ topic, group, positions: first.positions });
      await expect.poll(() => texts(second.positions.records), soon).toEqual(['one', 'two', 'three']);
    });

    test('replays from a position, in and out of a group', async () => {
      const topic = await makeTopic(1);
      await stream.append(Array.from({ length: 40 }, (_, n) => record(topic, 'w', `${n}`)));
      const positions = newPositions(new Map([[0, 30]]));
      const group = randomUUID();
      const one = await consume({ topic, group, positions });
      await expect.poll(() => texts(positions.records), soon).toEqual(numbers(30, 40));
      await one.consumer.stop();
      const again = newPositions(new Map([[0, 25]]));
      await consume({ topic, group, positions: again });
      await expect.poll(() => texts(again.records), soon).toEqual(numbers(25, 40));
      const read = await stream.read({ topic, partition: 0, from: 10, limit: 5 });
      expect(texts(read)).toEqual(numbers(10, 15));
      expect(read[0]).toMatchObject({ topic, partition: 0, offset: 10, key: 'w' });
      expect(texts(await stream.read({ topic, partition: 0, from: 38, limit: 5 }))).toEqual(numbers(38, 40));
      expect(await stream.read({ topic, partition: 0, from: 40, limit: 5 })).toEqual([]);
      expect(await stream.offsets(topic)).toEqual([{ partition: 0, first: 0, next: 40 }]);
      await stream.append([record(topic, 'w', '40')]);
      const all = await stream.read({ topic, partition: 0, from: 0, limit: 41 });
      for (const { appendedAtMs } of [all[0]!, all[20]!, all[40]!]) {
        const first = all.findIndex((one) => one.appendedAtMs >= appendedAtMs);
        expect(await stream.offsetsSince(topic, appendedAtMs)).toEqual(new Map([[0, first]]));
      }
      expect(await stream.offsetsSince(topic, all[40]!.appendedAtMs + 3_600_000)).toEqual(new Map([[0, 41]]));
      expect(await stream.offsetsSince(topic, 0)).toEqual(new Map([[0, 0]]));
    });

    test('never starts beyond the end in silence: it asks again until the position holds', async () => {
      const topic = await makeTopic(1);
      const positions = newPositions(new Map([[0, 2]]));
      const { assigned } = await consume({ topic, positions });
      await expect.poll(() => assigned.length, soon).toBeGreaterThan(1);
      expect(positions.records).toEqual([]);
      await stream.append([record(topic, 'w', 'a'), record(topic, 'w', 'b'), record(topic, 'w', 'c')]);
      await expect.poll(() => texts(positions.records), soon).toEqual(['c']);
    });

    test('shares partitions in a group: one owner each, and no record skipped or kept twice as consumers come and go', async () => {
      const topic = await makeTopic();
      const group = randomUUID();
      const positions = newPositions();
      let sent = 0;
      let appending = true;
      const writer = (async () => {
        while (appending) {
          await stream.append(Array.from({ length: 8 }, () => record(topic, `w${sent % 16}`, `${sent++}`)));
        }
      })();
      const one = await consume({ topic, group, positions });
      await expect.poll(() => one.consumer.owned(), soon).toEqual([0, 1, 2, 3]);
      const two = await consume({ topic, group, positions, from: await open() });
      const disjoint = () => {
        const both = [...one.consumer.owned(), ...two.consumer.owned()];
        return both.toSorted().join() === '0,1,2,3' && one.consumer.owned().length === 2;
      };
      await expect.poll(disjoint, soon).toBe(true);
      const before = two.batches.length;
      await expect.poll(() => two.batches.length, soon).toBeGreaterThan(before);
      expect(one.lost.length).toBeGreaterThanOrEqual(2);
      expect(disjoint()).toBe(true);

      await two.consumer.stop();
      await expect.poll(() => one.consumer.owned(), soon).toEqual([0, 1, 2, 3]);
      appending = false;
      await writer;
      await expect.poll(() => positions.records.length, soon).toBe(sent);
      for (const records of Map.groupBy(positions.records, (record) => record.partition).values()) {
        expect(records.map((record) => record.offset)).toEqual(records.map((_, n) => n));
      }
    });

    test('loses nothing that it acknowledged when the connection breaks under appends', async () => {
      const topic = await makeTopic(2);
      const { positions } = await consume({ topic });
      const kept: string[] = [];
      let appending = true;
      const failures: unknown[] = [];
      const writer = (async () => {
        for (let n = 0; appending; n += 1) {
          for (;;) {
            try {
              await stream.append([record(topic, `w${n % 5}`, `${n}`)]);
              break;
            } catch (error) {
              failures.push(error);
            }
          }
          kept.push(`${n}`);
        }
      })();
      await expect.poll(() => positions.records.length, soon).toBeGreaterThan(20);
      await backend.interrupt();
      const then = kept.length;
      await expect.poll(() => kept.length, soon).toBeGreaterThan(then + 20);
      appending = false;
      await writer;
      for (const failure of failures) expect(failure).toBeInstanceOf(StreamUnavailableError);
      await expect.poll(() => new Set(texts(positions.records)).size, soon).toBe(kept.length);
      expect(new Set(texts(positions.records))).toEqual(new Set(kept));
      for (const records of Map.groupBy(positions.records, (one) => one.partition).values()) {
        expect(records.map((one) => one.offset)).toEqual(records.map((_, n) => n));
      }
      await stream.check();
    });

    test('refuses a record over the limit and takes those beside it', async () => {
      const topic = await makeTopic(1);
      const large = record(topic, 'w', 'x'.repeat(maxRecordBytes + 1));
      const small = stream.append([record(topic, 'w', 'small')]);
      await expect(stream.append([large])).rejects.toBeInstanceOf(RecordTooLargeError);
      await small;
      const fits = record(topic, 'w', 'y'.repeat(maxRecordBytes - 500));
      await stream.append(Array.from({ length: 40 }, () => fits));
      expect(await stream.offsets(topic)).toEqual([{ partition: 0, first: 0, next: 41 }]);
    });

    test('takes records of several topics at once, as a delivery of which part cannot be read gives them', async () => {
      const [events, letters] = [await makeTopic(2), await makeTopic(1)];
      const kept = await stream.append([
        ...[
          record(events, 'a', '1'),
          record(letters, 'a', 'letter'),
          record(events, 'b', '2'),
          record(events, 'a', '3'),
        ],
      ]);
      expect(kept.map(({ topic }) => topic)).toEqual([events, letters, events, events]);
      expect(kept[3]).toEqual({ ...kept[0], offset: expect.any(Number) });
      expect(texts(await stream.read({ topic: letters, partition: 0, from: 0, limit: 5 }))).toEqual(['letter']);
      const ends = await stream.offsets(events);
      expect(ends.reduce((sum, { next }) => sum + next, 0)).toBe(3);
    });

    test('sets a poison record aside with its reason, and its partition moves on', async () => {
      await stream.ensureTopics([topicSpec(topics.deadLetters, 1)]);
      const topic = await makeTopic(1);
      const marker = randomUUID();
      const { positions } = await consume({
        topic,
        async handle(batch) {
          for (const one of batch.records) {
            if (one.value!.toString() === 'poison')
              await deadLetter(stream, one, `the value is no JSON object ${marker}`);
          }
        },
      });
      await stream.append([record(topic, 'w', 'fine'), record(topic, 'w', 'poison'), record(topic, 'w', 'fine too')]);
      await expect.poll(() => positions.records.length, soon).toBe(3);
      const [end] = await stream.offsets(topics.deadLetters);
      const [aside] = await stream.read({ topic: topics.deadLetters, partition: 0, from: end!.next - 1, limit: 1 });
      expect(aside).toMatchObject({
        key: 'w',
        headers: {
          ce_id: 'event',
          tripline_reason: `the value is no JSON object ${marker}`,
          tripline_topic: topic,
          tripline_partition: '0',
          tripline_offset: '1',
        },
      });
      expect(aside!.value!.toString()).toBe('poison');
    });

    test('ticks while caught up, by a clock that no later record contradicts', async () => {
      const topic = await makeTopic(2);
      const { batches } = await consume({ topic, tickMs: 50 });
      const ticks = () => batches.filter((batch) => batch.records.length === 0).length;
      for (let n = 0; n < 12; n += 1) {
        const before = ticks();
        await expect.poll(ticks, soon).toBeGreaterThan(before);
        await Promise.all(['a', 'b', 'c'].map((key) => stream.append([record(topic, key, `${n}`)])));
      }
      await expect.poll(() => batches.flatMap((batch) => batch.records).length, soon).toBe(36);
      for (const ofPartition of Map.groupBy(batches, (batch) => batch.partition).values()) {
        let promisedMs = 0;
        for (const batch of ofPartition) {
          for (const one of batch.records) expect(one.appendedAtMs).toBeGreaterThanOrEqual(promisedMs);
          if (batch.caughtUpAtMs === null) continue;
          expect(batch.caughtUpAtMs).toBeGreaterThanOrEqual(
            Math.max(promisedMs, batch.records.at(-1)?.appendedAtMs ?? 0),
          );
          promisedMs = batch.caughtUpAtMs;
        }
        expect(promisedMs).toBeGreaterThan(0);
      }
    });

    test('hands over as one batch what comes while its reader rests', async () => {
      const topic = await makeTopic(1);
      const { batches, positions } = await consume({ topic, restMs: 1500 });
      await stream.append([record(topic, 'w', '0')]);
      await expect.poll(() => positions.records.length, soon).toBe(1);
      for (let n = 1; n < 10; n += 1) await stream.append([record(topic, 'w', `${n}`)]);
      await expect.poll(() => texts(positions.records), soon).toEqual(numbers(0, 10));
      expect(batches.length).toBeLessThan(5);
    });

    test('gives a batch again, assigned anew, when its handler throws; other partitions go on meanwhile', async () => {
      const topic = await makeTopic(2);
      let broken = true;
      const { positions, assigned } = await consume({
        topic,
        handle(batch) {
          if (broken && batch.partition === 0) throw new Error('broken for now');
        },
      });
      const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
      const appended = await stream.append(keys.map((key) => record(topic, key, key)));
      const elsewhere = appended.filter((at) => at.partition === 1).length;
      expect(elsewhere).toBeGreaterThan(0);
      await expect.poll(() => assigned.filter((partition) => partition === 0).length, soon).toBeGreaterThan(2);
      await expect.poll(() => positions.records.length, soon).toBe(elsewhere);
      broken = false;
      await expect.poll(() => positions.records.length, soon).toBe(keys.length);
      expect(assigned.filter((partition) => partition === 1)).toHaveLength(1);
    });

    test('stops only when its handler has, and says so to it', async () => {
      const topic = await makeTopic(1);
      const entered = Promise.withResolvers<Batch>();
      const leave = Promise.withResolvers<void>();
      const { consumer, lost } = await consume({
        topic,
        async handle(batch) {
          entered.resolve(batch);
          await leave.promise;
        },
      });
      await stream.append([record(topic, 'w', 'one')]);
      const batch = await entered.promise;
      const stopped = consumer.stop();
      await expect.poll(() => batch.lost.aborted, soon).toBe(true);
      expect(lost).toEqual([]);
      leave.resolve();
      await stopped;
      expect(lost).toEqual([0]);
    });

    test('hands over at most so many records a batch', async () => {
      const topic = await makeTopic(1);
      await stream.append(Array.from({ length: 95 }, (_, n) => record(topic, 'w', `${n}`)));
      const { batches, positions } = await consume({ topic, maxRecords: 10 });
      await expect.poll(() => texts(positions.records), soon).toEqual(numbers(0, 95));
      expect(Math.max(...batches.map((batch) => batch.records.length))).toBe(10);
      expect(batches.filter((batch) => batch.caughtUpAtMs !== null).length).toBeLessThanOrEqual(2);
    });

    test('leaves a topic as it is, and refuses one with another number of partitions', async () => {
      const topic = await makeTopic(3);
      await stream.ensureTopics([topicSpec(topic, 3)]);
      await expect(stream.ensureTopics([topicSpec(topic, 5)])).rejects.toThrow(/3 partitions.*5/);
      expect(await stream.offsets(topic)).toHaveLength(3);
    });
  });
}

type Positions = ReturnType<typeof newPositions>;

/** Positions as packages/db/positions.ts keeps them: a commit by who was fenced is refused. */
function newPositions(next = new Map<number, number>()) {
  const epochs = new Map<number, number>();
  const records: StreamRecord[] = [];
  return {
    records,
    next: (partition: number) => next.get(partition) ?? 0,
    take(partition: number): number {
      epochs.set(partition, (epochs.get(partition) ?? 0) + 1);
      return epochs.get(partition)!;
    },
    commit(batch: Batch, epoch: number): void {
      if (epochs.get(batch.partition) !== epoch) throw new Error('fenced');
      if (batch.records.length === 0) return;
      next.set(batch.partition, batch.records.at(-1)!.offset + 1);
      records.push(...batch.records);
    },
  };
}

const topicSpec = (topic: string, partitions: number): TopicSpec => ({
  topic,
  partitions,
  retentionMs: 7 * 86_400_000,
  maxRecordBytes,
});

function record(topic: string, key: string, text: string): NewRecord {
  return { topic, key, headers: { ce_id: 'event', note: 'ümlaut' }, value: Buffer.from(text) };
}

const texts = (records: readonly StreamRecord[]) => records.map((one) => one.value!.toString());
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `${from + n}`);

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}
