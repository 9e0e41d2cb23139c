import { randomInt } from 'node:crypto';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { createSignal, type Signal } from '@tripline/runtime/signal';
import type pg from 'pg';
import type { PartitionReader } from '../partition-reader.ts';
import type { Listener } from './listener.ts';

/** A consumer's membership in its group, in the embedded log: leases in Postgres decide which partitions it owns. */
export type Membership = {
  owned: () => readonly number[];
  /** Sends a heartbeat immediately, since the group changed. */
  arrivals: Signal;
  stop: () => Promise<void>;
};

const longestBeatMs = 1000;
const usualLeaseMs = 10_000;
/** So often at least before a lease ends: one heartbeat that is late loses nothing. */
const beatsALease = 4;

/** Joins a group and keeps one reader open for each partition that it owns. */
export async function joinGroup(options: {
  pool: pg.Pool;
  listener: Listener;
  group: string;
  topic: string;
  openPartitionReader: (partition: number) => PartitionReader;
  /** 10 s when absent. */
  leaseMs?: number | undefined;
  clock: Clock;
  logger: Logger;
}): Promise<Membership> {
  const { pool, listener, group, topic, clock, leaseMs = usualLeaseMs } = options;
  const beatMs = Math.min(longestBeatMs, leaseMs / beatsALease);
  const logger = options.logger.child({ topic, group });
  const consumer = randomInt(2 ** 48 - 1);
  const partitionReaders = new Map<number, PartitionReader>();
  const ending = new Map<number, Promise<void>>();
  const arrivals = createSignal();
  const stopping = new AbortController();
  let beatAtMs = clock.nowMs();

  async function beat(): Promise<void> {
    const askedAtMs = clock.nowMs();
    const { rows } = await pool.query<{ owned: number[]; share: number }>(
      'SELECT * FROM log_heartbeat($1, $2, $3, $4)',
      [group, topic, consumer, leaseMs],
    );
    beatAtMs = askedAtMs;
    const { owned, share } = rows[0]!;
    for (const partition of partitionReaders.keys()) if (!owned.includes(partition)) end(partition);
    for (const partition of owned.slice(share)) end(partition, () => giveBackLease(partition));
    for (const partition of owned.slice(0, share)) {
      if (!partitionReaders.has(partition) && !ending.has(partition))
        partitionReaders.set(partition, options.openPartitionReader(partition));
    }
  }

  /** Not awaited: a handler may be slow, and heartbeats must continue meanwhile. */
  function end(partition: number, then?: () => Promise<void>): void {
    if (ending.has(partition)) return;
    const partitionReader = partitionReaders.get(partition);
    partitionReaders.delete(partition);
    const ended = Promise.resolve(partitionReader?.end())
      .then(then)
      .catch((error) =>
        logger.warn({ err: error, partition }, 'releasing the partition failed; retrying at the next heartbeat'),
      )
      .finally(() => {
        ending.delete(partition);
        arrivals.notify();
      });
    ending.set(partition, ended);
  }

  async function endAll(): Promise<void> {
    for (const partition of partitionReaders.keys()) end(partition);
    await Promise.all(ending.values());
  }

  function giveBackLease(partition: number): Promise<void> {
    return giveBack(
      'DELETE FROM log_leases WHERE group_name = $1 AND topic = $2 AND consumer = $3 AND partition = $4',
      [partition],
    );
  }

  async function giveBack(statement: string, more: unknown[] = []): Promise<void> {
    await pool.query(statement, [group, topic, consumer, ...more]);
    await pool.query("SELECT pg_notify('tripline_log_groups', $1)", [`${group} ${topic}`]);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await beat();
      } catch (error) {
        logger.warn({ err: error }, 'consumer group heartbeat failed; retrying at the next interval');
        // After this time other members may have taken our partitions.
        if (clock.nowMs() - beatAtMs > leaseMs) for (const partition of partitionReaders.keys()) end(partition);
      }
      await arrivals.wait(beatMs, stopping.signal);
    }
  }

  await listener.hold(consumer);
  const running = run();
  return {
    arrivals,
    owned: () => [...partitionReaders.keys()].sort((a, b) => a - b),
    async stop() {
      stopping.abort();
      await running;
      await endAll();
      await giveBack('DELETE FROM log_consumers WHERE group_name = $1 AND topic = $2 AND consumer = $3').catch(
        (error) => logger.warn({ err: error }, 'leaving the consumer group failed; its lease expires by itself'),
      );
      await listener.release(consumer);
    },
  };
}
