import type { Config } from '@tripline/config/config';
import { faultOfOrigin } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import { FencedError, takePartition } from '@tripline/db/positions';
import { dedupHours } from '@tripline/engine/dedup';
import { createEngine, type Engine, type Snapshot } from '@tripline/engine/engine';
import type { StoreOptions } from '@tripline/engine/keyed-state/state-store';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Stream } from '@tripline/stream/stream';
import { createNews, type KnownRuns, type News } from './known-runs.ts';
import type { RuleSet } from './load-rules.ts';
import type { createMeasures } from './measures.ts';
import { createPendingCommit, type PendingCommit } from './pending-commit.ts';
import { openState, type StateKeeper } from './state-keeper.ts';
import { readDedup } from './store/dedup.ts';
import { noteRuleSet } from './store/rule-sets.ts';
import { readEngineRows } from './store/rule-state.ts';
import type { Ownership } from './store/state-store.ts';
import { readTimers } from './store/timers.ts';

/** What the steps of detecting share. */
export type Detecting = {
  config: Config;
  stream: Stream;
  db: Db;
  logger: Logger;
  clock: Clock;
  measures: ReturnType<typeof createMeasures>;
  /** By partition. */
  owned: Map<number, Owned>;
  /** What is to judge; partitions come to it each at the end of a batch. */
  ruleSet: RuleSet;
  /** Tells what is known of runs, where policies of access are configured; null where none are. */
  knownRuns: KnownRuns | null;
  /** How much of keyed state lies where. */
  state: StoreOptions | undefined;
  /** How long batches from which nothing follows may wait to be recorded together, in ms. */
  gatherMs: number;
  /** Whether an inventory can be imported where a workspace is new. */
  imports: boolean;
  /** Whether a list of deliveries can be asked for those of a source. */
  isAskable: (source: string) => boolean;
  /** When an error of a rule (null: of a record) was last logged as a warning, ms since the epoch. */
  faultsToldMs: Map<string | null, number>;
  /** Aborted when the detector closes. */
  closing: AbortSignal;
};

/**
 * A partition that is ours: its engine and state, what fences us, where its reading stands, and what was judged since
 * the last record of it in Postgres.
 */
export type Owned = {
  partition: number;
  owner: Ownership;
  /** What judges it, and the engine of that. */
  ruleSet: RuleSet;
  engine: Engine;
  state: StateKeeper;
  next: number;
  pending: PendingCommit;
  /** What was told of its runs last. */
  news: News;
  sweptMs: number;
  /** Whether what was judged is about to be recorded. */
  recordsSoon: boolean;
  /** Ends with what is being done on the partition: one thing at a time. */
  turn: Promise<unknown>;
};

const consumer = 'detector';
const hourMs = 3_600_000;

/** Takes a partition: fences whoever had it, and goes on from what Postgres has. Answers the offset to read from. */
export async function take(detecting: Detecting, topic: string, partition: number): Promise<number> {
  const { db, logger, owned } = detecting;
  owned.delete(partition);
  const key = { consumer, topic, partition };
  const { next, logTimeMs, epoch } = await takePartition(db.pool, key, { keepsState: true });
  // From here on no other process writes this partition's rows.
  const owner = { ...key, epoch };
  const state = await openState(db, owner, logTimeMs, { ...detecting.state, sharedBy: () => sharedBy(detecting) });
  const snapshot = await readSnapshot(db, partition, logTimeMs);
  let ruleSet: RuleSet;
  do {
    ruleSet = detecting.ruleSet;
    await noteUse(db, owner, ruleSet);
  } while (ruleSet !== detecting.ruleSet);
  // Nothing may be awaited until the partition stands among those owned, or another set came between.
  const engine = engineOf(detecting, ruleSet, state, snapshot);
  const [pending, news] = [createPendingCommit(owner, next), createNews()];
  const atRest = { recordsSoon: false, turn: Promise.resolve() };
  owned.set(partition, {
    partition,
    owner,
    ruleSet,
    engine,
    state,
    next,
    pending,
    news,
    sweptMs: logTimeMs,
    ...atRest,
  });
  logger.info(
    { partition, next, ruleSet: ruleSet.version, timers: engine.pendingTimers(), ...state.size() },
    'partition assigned; processing from its committed offset',
  );
  return next;
}

/** Has the partition judged by the set that is to judge, if it is not yet. What was judged before must be recorded. */
export async function changeRules(detecting: Detecting, own: Owned): Promise<void> {
  const { db, logger, ruleSet } = detecting;
  const { partition, owner, state } = own;
  await noteUse(db, owner, ruleSet);
  if (ruleSet.rules !== own.ruleSet.rules) {
    const snapshot = await readSnapshot(db, partition, own.engine.logTimeMs());
    own.engine = engineOf(detecting, ruleSet, state, snapshot);
  }
  own.ruleSet = ruleSet;
  logger.info({ partition, next: own.next, ruleSet: ruleSet.version }, 'rules changed for the partition');
}

/**
 * Runs `work` after what the partition is at. When it fails the partition is ours no more: whether what failed stands is
 * known to Postgres alone, so it is taken anew from there.
 */
export function serialize({ owned }: Detecting, own: Owned, work: () => Promise<void>): Promise<void> {
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

/** Of ids of events, what is older than this is of no more use at a log time. */
export const dedupFromMs = (logTimeMs: number): number => logTimeMs - (dedupHours + 1) * hourMs;

/** What is held in memory to be fast does not grow with the partitions. */
const sharedBy = ({ owned }: Detecting): number => Math.max(1, owned.size);

/** What an engine begins with, as Postgres has it. */
const readSnapshot = async ({ pool }: Db, partition: number, logTimeMs: number): Promise<Snapshot> => ({
  logTimeMs,
  engineRows: await readEngineRows(pool, partition, logTimeMs),
  timers: await readTimers(pool, partition),
  dedup: await readDedup(pool, partition, dedupFromMs(logTimeMs)),
});

const engineOf = (detecting: Detecting, { rules }: RuleSet, state: StateKeeper, snapshot: Snapshot): Engine =>
  createEngine(
    {
      rules,
      learningDays: detecting.config.learningDays,
      sharedBy: () => sharedBy(detecting),
      originFault: (record) => faultOfOrigin(record, detecting.config),
      peek: state.peek,
    },
    snapshot,
  );

/** Keeps that a set judges the partition from here on. */
const noteUse = ({ pool }: Db, owner: Ownership, { version, rules, own }: RuleSet): Promise<void> =>
  noteRuleSet(pool, owner, { version, madeOf: { rules: rules.map(({ rule }) => rule.id), files: own.files } });
