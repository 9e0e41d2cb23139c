import type { Logger } from '@tripline/runtime/logger';
import { partitionOf } from '@tripline/stream/partition';
import { openPartitionReader, type PartitionReader } from '@tripline/stream/partition-reader';
import {
  type Appended,
  type ConsumerOptions,
  type NewRecord,
  type Stream,
  type StreamRecord,
  StreamUnavailableError,
  topics,
} from '@tripline/stream/stream';
import type { Mutant } from './mutants.ts';
import { clockOf, type Life, type World } from './world.ts';

export type LogFaults = { lostBefore: number; lostAfter: number; doubled: number; zombie: number };

type Member = { life: Life; options: ConsumerOptions; partitionReaders: Map<number, PartitionReader> };

/**
 * The log in memory, by the contract of packages/stream: partitions, append times by the world's clock, appends whose
 * acknowledgement is lost or that are written twice, and groups whose members come, go and do not notice that they lost
 * a partition.
 */
export function createSimulatedLog(options: {
  world: World;
  partitions: number;
  faults: () => LogFaults;
  logger: Logger;
  mutant?: Mutant | undefined;
}) {
  const { world, partitions, faults, logger, mutant } = options;
  let isMutated = false;
  const kept = new Map<string, StreamRecord[][]>();
  const groups = new Map<string, Set<Member>>();
  /** Lanes whose owner has not noticed yet that the partition is somebody else's. */
  const zombies: { member: Member; partition: number }[] = [];

  function partitionsOf(topic: string): StreamRecord[][] {
    const known = kept.get(topic) ?? Array.from({ length: partitions }, (): StreamRecord[] => []);
    kept.set(topic, known);
    return known;
  }

  function write(records: readonly NewRecord[]): Appended[] {
    return records.map((record) => {
      const partition = partitionOf(record.key, partitions);
      const before = partitionsOf(record.topic)[partition]!;
      const offset = before.length;
      const appendedAtMs = Math.max(before.at(-1)?.appendedAtMs ?? 0, world.nowMs());
      before.push({ ...record, partition, offset, appendedAtMs });
      return { topic: record.topic, partition, offset };
    });
  }

  function append(life: Life, records: readonly NewRecord[]): Promise<Appended[]> {
    const isEarly = records.some(({ headers }) => mutant?.early?.test(headers['ce_type'] ?? ''));
    if (!isEarly) return appendWhole(life, records);
    isMutated = true;
    void appendWhole(life, records).catch(() => {});
    return Promise.resolve([]);
  }

  function appendWhole(life: Life, records: readonly NewRecord[]): Promise<Appended[]> {
    return world.operate(life, `append ${records.length}`, async () => {
      const { lostBefore, lostAfter, doubled } = faults();
      if (world.random.chance(lostBefore)) throw new StreamUnavailableError('the log is away');
      if (world.random.chance(doubled)) write(records);
      const appended = write(records);
      if (world.random.chance(lostAfter)) throw new StreamUnavailableError('the acknowledgement was lost');
      return appended;
    });
  }

  function heard(record: StreamRecord, before: readonly StreamRecord[]): StreamRecord {
    const altered = mutant?.heard?.(record, before) ?? record;
    if (altered !== record) isMutated = true;
    return altered;
  }

  /** Reads one partition for one member, in batches cut by chance. */
  function sourceOf({ life, options: { topic, maxRecords = 1000, tickMs } }: Member, partition: number) {
    let next = 0;
    let toldAtMs = Number.NEGATIVE_INFINITY;
    const records = () => partitionsOf(topic)[partition]!;
    const isDue = () => next < records().length || (tickMs !== undefined && world.nowMs() - toldAtMs >= tickMs);
    return {
      start: async (offset: number) => {
        if (offset > records().length) throw new Error(`the log ends at ${records().length}, not ${offset}`);
        next = offset;
      },
      next: (signal: AbortSignal) =>
        world.operate(
          life,
          `read ${topic}/${partition} at ${next}`,
          async () => {
            if (signal.aborted) return null;
            const count = Math.min(maxRecords, world.random.pick([1, 5, 40, 1000, 1000]));
            const batch = records()
              .slice(next, next + count)
              .map((record, place) => (mutant?.heard ? heard(record, records().slice(0, next + place)) : record));
            next += batch.length;
            const isCaughtUp = next === records().length && (batch.length === 0 || world.random.chance(0.7));
            if (isCaughtUp) toldAtMs = world.nowMs();
            return { records: batch, caughtUpAtMs: isCaughtUp ? world.nowMs() : null };
          },
          () => signal.aborted || isDue(),
        ),
    };
  }

  function give(member: Member, partition: number): void {
    const waiting = zombies.findIndex((zombie) => zombie.member === member && zombie.partition === partition);
    if (waiting >= 0) zombies.splice(waiting, 1);
    if (member.partitionReaders.has(partition)) return;
    const { life, options: consumer } = member;
    const { topic, handlers } = consumer;
    const source = sourceOf(member, partition);
    const partitionReader = world.within(life, () =>
      openPartitionReader({ topic, partition, source, handlers, clock: clockOf(life), logger }),
    );
    member.partitionReaders.set(partition, partitionReader);
  }

  function take(member: Member, partition: number): void {
    const partitionReader = member.partitionReaders.get(partition);
    member.partitionReaders.delete(partition);
    if (partitionReader && member.life.alive) void world.within(member.life, () => partitionReader.end());
  }

  /** Deals the partitions of a group anew among its living members. Some lose theirs without noticing. */
  function rebalance(group: string): void {
    const members = [...(groups.get(group) ?? [])].filter(({ life }) => life.alive);
    groups.set(group, new Set(members));
    if (members.length === 0) return;
    for (let partition = 0; partition < partitions; partition += 1) {
      const owner = world.random.pick(members);
      world.trace(`  ${group}/${partition} belongs to ${owner.life.name}`);
      for (const member of members) {
        if (member === owner || !member.partitionReaders.has(partition)) continue;
        if (world.random.chance(faults().zombie)) zombies.push({ member, partition });
        else take(member, partition);
      }
      give(owner, partition);
    }
  }

  function openFor(life: Life): Stream {
    return {
      backend: 'kafka',
      ensureTopics: async () => {},
      append: (records) => append(life, records),
      consume: (consumer) =>
        world.operate(life, `join ${consumer.group}`, async () => {
          const member: Member = { life, options: consumer, partitionReaders: new Map() };
          groups.set(consumer.group, (groups.get(consumer.group) ?? new Set()).add(member));
          rebalance(consumer.group);
          return { owned: () => [...member.partitionReaders.keys()], stop: async () => {} };
        }),
      offsets: async (topic) =>
        partitionsOf(topic).map((records, partition) => ({ partition, first: 0, next: records.length })),
      offsetsSince: async (topic, sinceMs) =>
        new Map(
          partitionsOf(topic).map((records, partition) => {
            const found = records.findIndex(({ appendedAtMs }) => appendedAtMs >= sinceMs);
            return [partition, found < 0 ? records.length : found];
          }),
        ),
      read: async ({ topic, partition, from, limit }) => partitionsOf(topic)[partition]!.slice(from, from + limit),
      check: async () => {},
      close: async () => {},
    };
  }

  return {
    openFor,
    rebalance,
    groups: () => [...groups.keys()],
    /** Those who lost a partition notice. */
    bury(count = zombies.length): void {
      for (const { member, partition } of zombies.splice(0, count)) take(member, partition);
    },
    events: () => partitionsOf(topics.events),
    deadLetters: () => partitionsOf(topics.deadLetters).flat(),
    isMutated: () => isMutated,
  };
}
