import { type Config, loadConfig } from '@tripline/config/config';
import type { AnyRule } from '@tripline/contracts/rule';
import type { Db } from '@tripline/db/database';
import { createDetector } from '@tripline/detector/detector';
import { type RuleSet, ruleSetOf } from '@tripline/detector/load-rules';
import { readState } from '@tripline/detector/state-keeper';
import type { StoreOptions } from '@tripline/engine/keyed-state/state-store';
import { configureRule } from '@tripline/engine/settings';
import { type Clock, systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { type ConsumerHandlers, type NewRecord, type Stream, type StreamRecord, topics } from '@tripline/stream/stream';
import { brokerKey, internalKey } from '../internal-key.ts';

const key = { topic: topics.events, partition: 0 };

/** A log that a test plays by hand: it hands out the detector's handlers and keeps what is appended. */
export async function detectorByHand(
  db: Db,
  options: {
    rules: readonly AnyRule[];
    /** Instead of `rules`. */
    ruleSet?: RuleSet;
    silences?: unknown[];
    gatherMs?: number;
    clock?: Clock;
    /** Whether a webhook of acme is configured whose deliveries can be listed. */
    github?: boolean;
    /** Where policies of access are; none unless told otherwise. */
    policy?: Config['broker']['policy'];
    /** How much of keyed state is held in memory; so little that it is merged while a test runs, unless told otherwise. */
    state?: StoreOptions;
  },
) {
  let handlers: ConsumerHandlers | undefined;
  const appended: NewRecord[] = [];
  const stream = {
    consume: async (consumer: { handlers: ConsumerHandlers }) => {
      handlers = consumer.handlers;
      return { owned: () => [0], stop: async () => {} };
    },
    append: async (records: NewRecord[]) => {
      appended.push(...records);
      return records.map(({ topic }, offset) => ({ topic, partition: 0, offset }));
    },
  } as unknown as Stream;
  const defaults = loadConfig({}, '/');
  const hooks = options.github ? [{ organization: 'acme', id: '1' }] : [];
  const config = {
    ...defaults,
    github: { ...defaults.github, hooks },
    learningDays: 0,
    silences: (options.silences ?? []) as never,
    internalKeys: [internalKey, 'a-former-internal-key'],
    broker: { ...defaults.broker, eventKeys: [brokerKey], policy: options.policy },
    drillKey: 'a-key-of-drills-alone',
  };
  const ruleSet =
    options.ruleSet ??
    ruleSetOf(
      options.rules.map((rule) => configureRule(rule)),
      config,
    );
  const detector = await createDetector({
    ...{ config, stream, db, ruleSet },
    logger: createLogger({ service: 'detector', level: 'silent' }),
    clock: options.clock ?? systemClock,
    metrics: createMetrics({ service: 'detector' }),
    worker: false,
    gatherMs: options.gatherMs ?? 0,
    state: options.state ?? { memtableBytes: 600, blockCacheBytes: 2000, blockBytes: 256, blocksPerGroup: 4 },
  });
  const lost = new AbortController().signal;
  return {
    appended,
    ruleSet,
    use: detector.use,
    assign: () => handlers!.onAssigned(key),
    batch: (records: readonly StreamRecord[], caughtUpAtMs: number | null = null) =>
      handlers!.onBatch({ ...key, records, caughtUpAtMs, lost }),
    lose: () => handlers!.onLost(key),
  };
}

/** A clock at `nowMs` whose pauses last until a test ends them. */
export function clockByHand(nowMs: number) {
  const pauses: { ms: number; end: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    pause: (ms) => new Promise((resolve) => pauses.push({ ms, end: resolve })),
  };
  return { clock, pauses };
}

/** What the detector leaves for others: questions for its worker, and what is queued. In the place of a table. */
export const leftForOthers = `(SELECT task_identifier AS task, key FROM graphile_worker.jobs
  UNION ALL SELECT purpose, purpose || ':' || item FROM queue) AS jobs`;

/** All that a log left behind, told apart from names that chance gives. */
export async function whatStands(db: Db) {
  const findings = await db.pool.query(
    `SELECT f.id, f.rule, f.subject, f.withdrawn_at, f.silenced_by, i.title AS incident, i.state, i.version, i.severity,
       i.updated_at FROM findings f LEFT JOIN incidents i ON i.id = f.incident ORDER BY f.id`,
  );
  const jobs = await db.pool.query(
    `SELECT task, regexp_replace(key, 'INC-.*', 'INC') AS key FROM ${leftForOthers} ORDER BY 1, 2`,
  );
  const story = await db.pool.query('SELECT kind, detail FROM incident_events ORDER BY id');
  const engines = await db.pool.query(
    'SELECT workspace, rule, key, value::text, expires_ms FROM rule_state ORDER BY 1, 2, 3',
  );
  const at = await db.pool.query('SELECT log_time_ms AS "logTimeMs" FROM positions');
  const kept = await readState(db, key.partition, at.rows[0].logTimeMs);
  const byName = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  const timers = await db.pool.query('SELECT * FROM timers ORDER BY workspace, rule, id');
  const position = await db.pool.query('SELECT next, log_time_ms FROM positions');
  return [...[findings, jobs, story, engines, timers, position].map(({ rows }) => rows), kept.sort(byName)];
}

/** A database whose `n`-th query from now fails: before it reaches Postgres, or after, when its answer is lost. */
export function failing(db: Db, n: number, answerLost: boolean): { db: Db; hasFailed: () => boolean } {
  let left = n;
  const count = async <T>(send: () => Promise<T>): Promise<T> => {
    left -= 1;
    if (left !== 0) return send();
    if (answerLost) await send();
    throw new Error('the connection is gone');
  };
  const pool = new Proxy(db.pool, {
    get(target, name) {
      if (name === 'query') return (...of: [string, unknown[]]) => count(() => target.query(...of));
      if (name !== 'connect') return Reflect.get(target, name);
      return async () => {
        const client = await target.connect();
        return {
          query: (...of: [string, unknown[]]) => count(() => client.query(...of)),
          release: (error?: Error) => client.release(error),
        };
      };
    },
  });
  return { db: { ...db, pool }, hasFailed: () => left <= 0 };
}
