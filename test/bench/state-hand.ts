import { readFileSync } from 'node:fs';
import { loadConfig } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { createDetector } from '@tripline/detector/detector';
import { ruleSetOf } from '@tripline/detector/load-rules';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { type ConsumerHandlers, type Stream, type StreamRecord, topics } from '@tripline/stream/stream';
import { internalKey } from '../../packages/testing/internal-key.ts';

export const partition = 0;
const at = { topic: topics.events, partition };

/** The detector on a real database, its batches handed over by the bench: what a batch costs without a log. */
export async function detectorByHand(db: Db, rules: readonly ConfiguredRule[]) {
  let handlers: ConsumerHandlers | undefined;
  const stream = {
    consume: async (consumer: { handlers: ConsumerHandlers }) => {
      handlers = consumer.handlers;
      return { owned: () => [partition], stop: async () => {} };
    },
    append: async () => {
      throw new Error('the bench has no poison, and something was dead-lettered');
    },
  } as unknown as Stream;
  const config = { ...loadConfig({}, '/'), internalKeys: [internalKey] };
  await createDetector({
    ...{ config, stream, db, ruleSet: ruleSetOf(rules, config), clock: systemClock },
    logger: createLogger({ service: 'bench', level: 'silent' }),
    metrics: createMetrics({ service: 'bench' }),
    worker: false,
  });
  const lost = new AbortController().signal;
  return {
    take: () => handlers!.onAssigned(at),
    judge: (records: readonly StreamRecord[]) => handlers!.onBatch({ ...at, records, caughtUpAtMs: null, lost }),
  };
}

/** CPU time in µs: of this process, and of the backends of Postgres that serve its database. */
export async function startStopwatch(db: Db): Promise<() => { ownUs: number; postgresUs: number }> {
  const { rows } = await db.pool.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'",
  );
  const backends = () => rows.reduce((sum, { pid }) => sum + cpuTicks(pid), 0);
  const ticks = backends();
  const begun = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return { ownUs: user + system, postgresUs: (backends() - ticks) * 10_000 };
  };
}

/** User and system time of a process in hundredths of a second; 0 once it is gone. */
function cpuTicks(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

/** Rows written to this database's tables so far, and where its write-ahead log stands. Ask on a connection of its own, once others are closed. */
export async function whatWasWritten(db: Db): Promise<{ rows: Map<string, number>; walBytes: number }> {
  const tables = await db.pool.query<{ name: string; rows: number }>(
    `SELECT relname AS name, n_tup_ins + n_tup_upd + n_tup_del AS rows FROM pg_stat_user_tables`,
  );
  const wal = await db.pool.query<{ bytes: string }>("SELECT pg_current_wal_lsn() - '0/0' AS bytes");
  return { rows: new Map(tables.rows.map(({ name, rows }) => [name, rows])), walBytes: Number(wal.rows[0]!.bytes) };
}
