import type { Config } from '@tripline/config/config';
import { faultOfOrigin } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import { FencedError, takePartition } from '@tripline/db/positions';
import { dedupHours } from '@tripline/engine/dedup';
import type { Effects } from '@tripline/engine/effects';
import { createEngine, type Engine, type Snapshot } from '@tripline/engine/engine';
import type { StoreOptions } from '@tripline/engine/keyed-state/state-store';
import { noteRuleFaults, type RuleFault } from '@tripline/health/rule-faults';
import { nothingRecorded } from '@tripline/incidents/apply-verdicts';
import { hooksOf, mayList } from '@tripline/integrations/github/deliveries';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { type Batch, type Stream, topics } from '@tripline/stream/stream';
import { deadLetterAll } from './dead-letter.ts';
import type { RuleSet } from './load-rules.ts';
import { createMeasures } from './measures.ts';
import { createPendingCommit, type PendingCommit } from './pending-commit.ts';
import { type Consequences, consequencesOf, isNothing, nothingFollows, recordBatches } from './record-batches.ts';
import { openState, type StateKeeper } from './state-keeper.ts';
import { readDedup, sweepDedup } from './store/dedup.ts';
import { noteRuleSet } from './store/rule-sets.ts';
import { readEngineRows, sweepRuleState } from './store/rule-state.ts';
import type { Ownership } from './store/state-store.ts';
import { readTimers } from './store/timers.ts';
import { startWorker } from './worker.ts';

export type DetectorParts = {
  config: Config;
  stream: Stream;
  db: Db;
  /** What judges from the start on, from `loadRuleSet`. */
  ruleSet: RuleSet;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Whether it also runs the jobs `look-up` and `import-inventory`, as it does unless told otherwise. */
  worker?: boolean;
  /** At most so many records a batch, and so a transaction; 2,000 unless told otherwise. */
  maxBatchRecords?: number;
  /** How much of keyed state lies where. */
  state?: StoreOptions;
  /** How long batches from which nothing follows may wait to be recorded together, in ms; 100 unless told otherwise, 0: not at all. */
  gatherMs?: number;
};

export type Detector = {
  /** Partitions owned at this moment. */
  owned: () => readonly number[];
  /** Resolves when the log and the database answer; rejects with the reason. */
  ready: () => Promise<void>;
  /**
   * Has every partition judged by another set of rules from its next batch on; what was judged until then is recorded before,
   * as the former set says. State and timers stay as after a restart. Resolves once it is so for those that are owned.
   */
  use: (next: RuleSet) => Promise<void>;
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

/**
 * A transaction for each few events costs more than the events, and nobody waits for one that leaves no finding. As many
 * as this make one that is worth it.
 */
const gatheredRecords = 500;
const usualGatherMs = 100;
const reloadingPartition = 'batch commit failed; reloading partition from its committed offset';
/** A rule that throws at every event is told of so often. */
const faultsEveryMs = 60_000;

/**
 * A partition that is ours: its engine and state, what fences us, where its reading stands, and what was judged since
 * the last record of it in Postgres.
 */
type Owned = {
  partition: number;
  owner: Ownership;
  /** What judges it, and the engine of that. */
  ruleSet: RuleSet;
  engine: Engine;
  state: StateKeeper;
  next: number;
  pending: PendingCommit;
  sweptMs: number;
  /** Whether what was judged is about to be recorded. */
  recordsSoon: boolean;
  /** Ends with what is being done on the partition: one thing at a time. */
  turn: Promise<unknown>;
};

/**
 * Judges the events topic: reads a batch, fetches the state that it needs, lets the rules judge, and records all that
 * follows in one transaction with the position: at once when anybody is to hear of it, else with the batches that come
 * soon after. Starts with creation.
 */
export async function createDetector(parts: DetectorParts): Promise<Detector> {
  const { config, stream, db, logger, clock } = parts;
  const measures = createMeasures(parts.metrics);
  const owned = new Map<number, Owned>();
  /** What is to judge; partitions come to it each at the end of a batch. */
  let current = parts.ruleSet;
  measures.ruleSet(current.version);
  /** What is held in memory to be fast does not grow with the partitions. */
  const sharedBy = () => Math.max(1, owned.size);
  const imports = config.github.token !== undefined || config.github.app !== undefined;
  const hooks = hooksOf(config.github);
  const isAskable = (source: string) => mayList(hooks, source);
  const gatherMs = parts.gatherMs ?? usualGatherMs;
  const closing = new AbortController();
  const faultsToldMs = new Map<string | null, number>();

  async function take({ topic, partition }: { topic: string; partition: number }): Promise<number> {
    owned.delete(partition);
    const key = { consumer, topic, partition };
    const { next, logTimeMs, epoch } = await takePartition(db.pool, key, { keepsState: true });
    // From here on nobody else writes this partition's rows.
    const state = await openState(db, { ...key, epoch }, logTimeMs, { ...parts.state, sharedBy });
    const snapshot = await readSnapshot(partition, logTimeMs);
    const owner = { ...key, epoch };
    let ruleSet: RuleSet;
    do {
      ruleSet = current;
      await note(owner, ruleSet);
    } while (ruleSet !== current);
    // Nothing may be awaited until the partition stands among those owned, or another set came between.
    const engine = engineOf(ruleSet, state, snapshot);
    const pending = createPendingCommit(owner, next);
    const atRest = { recordsSoon: false, turn: Promise.resolve() };
    owned.set(partition, { partition, owner, ruleSet, engine, state, next, pending, sweptMs: logTimeMs, ...atRest });
    logger.info(
      { partition, next, ruleSet: ruleSet.version, timers: engine.pendingTimers(), ...state.size() },
      'partition assigned; processing from its committed offset',
    );
    return next;
  }

  /** What an engine begins with, as Postgres has it. */
  const readSnapshot = async (partition: number, logTimeMs: number): Promise<Snapshot> => ({
    logTimeMs,
    engineRows: await readEngineRows(db.pool, partition, logTimeMs),
    timers: await readTimers(db.pool, partition),
    dedup: await readDedup(db.pool, partition, logTimeMs - (dedupHours + 1) * hourMs),
  });
  const engineOf = ({ rules }: RuleSet, state: StateKeeper, snapshot: Snapshot): Engine =>
    createEngine(
      {
        rules,
        learningDays: config.learningDays,
        sharedBy,
        originFault: (record) => faultOfOrigin(record, config),
        peek: state.peek,
      },
      snapshot,
    );
  /** Keeps that a set judges the partition from here on. */
  const note = (owner: Ownership, { version, rules, own }: RuleSet) =>
    noteRuleSet(db.pool, owner, { version, madeOf: { rules: rules.map(({ rule }) => rule.id), files: own.files } });

  async function use(next: RuleSet): Promise<void> {
    current = next;
    measures.ruleSet(next.version);
    await Promise.all(
      [...owned.values()].map((own) =>
        serialize(own, async () => {
          if (own.ruleSet === current) return;
          await record(own);
          const { partition, owner, state } = own;
          const ruleSet = current;
          await note(owner, ruleSet);
          if (ruleSet.rules !== own.ruleSet.rules)
            own.engine = engineOf(ruleSet, state, await readSnapshot(partition, own.engine.logTimeMs()));
          own.ruleSet = ruleSet;
          logger.info({ partition, next: own.next, ruleSet: ruleSet.version }, 'rules changed for the partition');
        }).catch((error) => {
          logger.warn({ err: error, partition: own.partition }, reloadingPartition);
        }),
      ),
    );
  }

  async function handle(batch: Batch): Promise<void> {
    const own = owned.get(batch.partition);
    if (own === undefined) throw new FencedError(`partition ${batch.partition} is not the detector's`);
    await serialize(own, async () => {
      await judge(own, batch);
      if (own.pending.isEmpty()) await maintain(own, batch.records.length === 0);
    });
  }

  /** Runs `work` after what the partition is at. Whether what failed stands is known to Postgres alone: taken anew from there. */
  function serialize(own: Owned, work: () => Promise<void>): Promise<void> {
    const done = own.turn.then(async () => {
      if (owned.get(own.partition) !== own) throw new FencedError(`partition ${own.partition} was given up`);
      try {
        await work();
      } catch (error) {
        owned.delete(own.partition);
        throw error;
      }
    });
    own.turn = done.catch(() => {});
    return done;
  }

  async function judge(own: Owned, batch: Batch): Promise<void> {
    const { topic, partition, caughtUpAtMs, lost } = batch;
    const { engine, pending } = own;
    const startedMs = clock.nowMs();
    const records = batch.records.filter(({ offset }) => offset >= own.next);
    const effects = await evaluate(own, { records, caughtUpAtMs });
    if (lost.aborted) return engine.rollback();
    if (records.length === 0 && effects.counts.timersFired === 0 && effects.timers.length === 0) return engine.commit();
    await deadLetterAll(stream, effects.poison, { topic, partition });
    await noteRuleFaults(db, effects.poison);
    const flush = own.state.pack(effects.state.filter(({ rule }) => !rule.startsWith('@')));
    own.next = (records.at(-1)?.offset ?? own.next - 1) + 1;
    pending.add({ effects, flush, next: own.next, startedMs });
    // In memory it holds from here on; when it cannot be recorded, all of it is read anew.
    if (flush !== null) own.state.commit(flush);
    engine.commit();
    for (const fault of effects.poison) reportFault(partition, fault);
    const following = consequencesOf(effects, { imports, isAskable });
    const isQuiet = isNothing(following) && effects.poison.length === 0;
    if (isQuiet && gatherMs > 0 && pending.records() < gatheredRecords) recordLater(own);
    else await record(own, following);
  }

  /** Warns of the first of a rule's faults each minute; who sees the screen must see what else there is. */
  function reportFault(partition: number, { rule, reason }: RuleFault): void {
    const nowMs = clock.nowMs();
    const isNew = nowMs - (faultsToldMs.get(rule) ?? Number.NEGATIVE_INFINITY) >= faultsEveryMs;
    if (isNew) faultsToldMs.set(rule, nowMs);
    const what = rule === null ? 'a record could not be processed' : `rule ${rule} threw`;
    logger[isNew ? 'warn' : 'debug'](
      { partition, rule, reason },
      `${what} and its record was dead-lettered: ${reason}`,
    );
  }

  async function record(own: Owned, following: Consequences = nothingFollows): Promise<void> {
    const { partition, pending, ruleSet } = own;
    const gathered = pending.take();
    if (gathered === undefined) return;
    const recorded = await recordBatches(db.pool, gathered.rows, following, ruleSet);
    const nowMs = clock.nowMs();
    for (const [place, { effects, startedMs }] of gathered.batches.entries()) {
      const isLast = place === gathered.batches.length - 1;
      measures.batch(partition, effects, isLast ? recorded : nothingRecorded, nowMs - startedMs);
    }
  }

  /** What waits is recorded `gatherMs` after its first, unless it was before. */
  function recordLater(own: Owned): void {
    if (own.recordsSoon) return;
    own.recordsSoon = true;
    const { partition } = own;
    const recording = async () => {
      await clock.pause(gatherMs, closing.signal);
      own.recordsSoon = false;
      if (owned.get(partition) !== own) return;
      await serialize(own, async () => {
        await record(own);
        await maintain(own, false);
      });
    };
    recording().catch((error) => {
      logger.warn({ err: error, partition }, reloadingPartition);
    });
  }

  async function maintain(own: Owned, idle: boolean): Promise<void> {
    await own.state.compact(own.engine.logTimeMs(), idle);
    await sweep(own);
  }

  async function evaluate({ engine, state }: Owned, batch: Parameters<Engine['plan']>[0]): Promise<Effects> {
    let missing = engine.plan(batch);
    for (;;) {
      engine.hold(missing, await state.read(missing));
      const result = engine.evaluate();
      if ('effects' in result) return result.effects;
      missing = result.missing;
    }
  }

  /** Once an hour of the log's time: lets go of what has expired. */
  async function sweep(own: Owned): Promise<void> {
    const { partition } = own;
    const logTimeMs = own.engine.logTimeMs();
    if (logTimeMs < own.sweptMs + hourMs) return;
    own.engine.sweep();
    await sweepDedup(db.pool, partition, logTimeMs - (dedupHours + 1) * hourMs);
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
        const own = owned.get(partition);
        if (own === undefined) return;
        await serialize(own, () => record(own)).catch((error) => {
          logger.info(
            { err: error, partition },
            'batch commit failed while stopping; the next owner of the partition processes it again',
          );
        });
        owned.delete(partition);
      },
    },
  });

  const worker = parts.worker === false ? null : await startWorker({ config, stream, db, logger, clock });

  return {
    owned: () => [...owned.keys()],
    ready: async () => {
      const fault = consuming.fault?.();
      if (fault) throw fault;
      await Promise.all([stream.check(), db.pool.query('SELECT 1')]);
    },
    use,
    close: async () => {
      closing.abort();
      await consuming.stop();
      await worker?.stop();
    },
  };
}
