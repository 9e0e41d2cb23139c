import type { Db } from '@tripline/db/database';
import { Fenced, takePartition } from '@tripline/db/positions';
import { readEngineRows, sweepRuleState } from '@tripline/db/rule-state';
import { readSeen, sweepSeen } from '@tripline/db/seen';
import { readTimers } from '@tripline/db/timers';
import type { Effects } from '@tripline/engine/effects';
import { createEngine, type Engine } from '@tripline/engine/engine';
import { seenHours } from '@tripline/engine/seen';
import type { ConfiguredRule } from '@tripline/engine/settings';
import type { StoreOptions } from '@tripline/engine/state-store';
import type { Clock } from '@tripline/runtime/clock';
import type { Config } from '@tripline/runtime/config';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { type Batch, type Stream, topics } from '@tripline/stream/contract';
import { createMeasures } from './measures.ts';
import { nothingRecorded, recordBatch } from './record-batch.ts';
import { setAside } from './set-aside.ts';
import { openState, type StateKeeper } from './state-keeper.ts';
import { startWorker } from './worker.ts';

export type DetectorParts = {
  config: Config;
  stream: Stream;
  db: Db;
  /** From `loadRules`. */
  rules: readonly ConfiguredRule[];
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Whether it also runs the jobs `look-up` and `import-inventory`, as it does unless told otherwise. */
  worker?: boolean;
  /** At most so many records a batch, and so a transaction; 2,000 unless told otherwise. */
  maxBatchRecords?: number;
  /** How much of keyed state lies where. */
  state?: StoreOptions;
};

export type Detector = {
  /** Partitions owned at this moment. */
  owned: () => readonly number[];
  /** Resolves when the log and the database answer; rejects with the reason. */
  ready: () => Promise<void>;
  /** Gives its partitions back after the batch at hand. */
  close: () => Promise<void>;
};

const consumer = 'detector';
/**
 * Counts forms in which state is kept: detectors of a former one must not share partitions out with ours, since they
 * can take none that ours had.
 */
const group = 'tripline-detector-2';
const hourMs = 3_600_000;
/** How often a quiet partition's timers are looked at. */
const tickMs = 250;

/** A partition that is ours: its engine and state, what fences us, where it stands. */
type Owned = { engine: Engine; state: StateKeeper; epoch: number; next: number; sweptMs: number };

/**
 * Judges the events topic: reads a batch, fetches the state that it needs, lets the rules judge, and records all that
 * follows in one transaction with the position. Starts with creation.
 */
export async function createDetector(parts: DetectorParts): Promise<Detector> {
  const { config, stream, db, rules, logger, clock } = parts;
  const measures = createMeasures(parts.metrics);
  const owned = new Map<number, Owned>();
  /** What is held in memory to be fast does not grow with the partitions. */
  const sharedBy = () => Math.max(1, owned.size);
  const imports = config.github.token !== undefined || config.github.app !== undefined;

  async function take({ topic, partition }: { topic: string; partition: number }): Promise<number> {
    owned.delete(partition);
    const key = { consumer, topic, partition };
    const { next, logTimeMs, epoch } = await takePartition(db.pool, key, { keepsState: true });
    // From here on nobody else writes this partition's rows.
    const engine = createEngine(
      { rules, learningDays: config.learningDays, sharedBy },
      {
        logTimeMs,
        engineRows: await readEngineRows(db.pool, partition, logTimeMs),
        timers: await readTimers(db.pool, partition),
        seen: await readSeen(db.pool, partition, logTimeMs - (seenHours + 1) * hourMs),
      },
    );
    const state = await openState(db, { ...key, epoch }, logTimeMs, { ...parts.state, sharedBy });
    owned.set(partition, { engine, state, epoch, next, sweptMs: logTimeMs });
    logger.info({ partition, next, timers: engine.pendingTimers(), ...state.size() }, 'judging a partition');
    return next;
  }

  async function handle(batch: Batch): Promise<void> {
    const own = owned.get(batch.partition);
    if (own === undefined) throw new Fenced(`partition ${batch.partition} is not the detector's`);
    try {
      await judge(own, batch);
      await own.state.tend(own.engine.logTimeMs(), batch.records.length === 0);
      await sweep(own, batch);
    } catch (error) {
      // Whether the batch stands is known to Postgres alone: the partition is taken anew from there.
      owned.delete(batch.partition);
      throw error;
    }
  }

  async function judge(own: Owned, batch: Batch): Promise<void> {
    const { topic, partition, caughtUpAtMs, lost } = batch;
    const { engine } = own;
    const startedMs = clock.nowMs();
    failpoint('detector.after-read');
    const records = batch.records.filter(({ offset }) => offset >= own.next);
    const effects = await evaluate(own, { records, caughtUpAtMs });
    failpoint('detector.after-evaluate');
    if (lost.aborted) return engine.rollback();
    let recorded = nothingRecorded;
    if (records.length > 0 || effects.counts.timersFired > 0 || effects.timers.length > 0) {
      const next = (records.at(-1)?.offset ?? own.next - 1) + 1;
      await setAside(stream, effects.poison, { topic, partition });
      const key = { consumer, topic, partition };
      const { silences } = config;
      const { epoch, next: expected } = own;
      const { rules: changed = [], engine: engineRows = [] } = Object.groupBy(effects.state, ({ rule }) =>
        rule.startsWith('@') ? 'engine' : 'rules',
      );
      const segment = own.state.pack(changed);
      recorded = await recordBatch(db.pool, {
        ...{ key, epoch, expected, next, effects, segment, engineRows, silences, imports },
      });
      own.next = next;
      if (segment !== null) own.state.commit(segment);
    }
    engine.commit();
    if (records.length > 0) measures.batch(partition, effects, recorded, clock.nowMs() - startedMs);
    for (const { rule, reason } of effects.poison) logger.warn({ partition, rule, reason }, 'set a record aside');
  }

  async function evaluate({ engine, state }: Owned, batch: Parameters<Engine['plan']>[0]): Promise<Effects> {
    let missing = engine.plan(batch);
    for (;;) {
      failpoint('detector.before-fetch');
      engine.hold(missing, await state.read(missing));
      failpoint('detector.after-fetch');
      const result = engine.evaluate();
      if ('effects' in result) return result.effects;
      missing = result.missing;
    }
  }

  /** Once an hour of the log's time: lets go of what has expired. */
  async function sweep(own: Owned, { partition }: Batch): Promise<void> {
    const logTimeMs = own.engine.logTimeMs();
    if (logTimeMs < own.sweptMs + hourMs) return;
    own.engine.sweep();
    await sweepSeen(db.pool, partition, logTimeMs - (seenHours + 1) * hourMs);
    const swept = await sweepRuleState(db.pool, partition, logTimeMs);
    if (swept === 0) own.sweptMs = logTimeMs;
  }

  const consuming = await stream.consume({
    topic: topics.events,
    group,
    maxRecords: parts.maxBatchRecords ?? 2000,
    tickMs,
    handlers: {
      onAssigned: take,
      onBatch: handle,
      onLost: async ({ partition }) => {
        owned.delete(partition);
      },
    },
  });

  const worker = parts.worker === false ? null : await startWorker({ config, stream, db, logger, clock });

  return {
    owned: () => [...owned.keys()],
    ready: async () => {
      await Promise.all([stream.check(), db.pool.query('SELECT 1')]);
    },
    close: async () => {
      await consuming.stop();
      await worker?.stop();
    },
  };
}
