import type { StreamRecord } from '@tripline/stream/stream';
import { beginBatch, createBatch, forgetResults } from './batch.ts';
import { createDedup } from './dedup.ts';
import { createDoubting } from './doubting.ts';
import type { Effects } from './effects.ts';
import { createFiring, isActedOn } from './firing.ts';
import { createJudging } from './judging.ts';
import type { StateKey } from './keyed-state/keys.ts';
import { createState, type StateRow } from './keyed-state/state.ts';
import { createUndoLog } from './keyed-state/undo-log.ts';
import { factsOf } from './learn-facts.ts';
import { createPlanning } from './plan.ts';
import { createScopes } from './scopes.ts';
import type { ConfiguredRule } from './settings.ts';
import { createTaking } from './taking.ts';
import { createTimers, type SetTimer } from './timers.ts';
import { createUnproven } from './unproven.ts';

export type EngineOptions = {
  /** In the order in which they run. */
  rules: readonly ConfiguredRule[];
  /** How long rules that learn find nothing in a new workspace without an inventory, in days. */
  learningDays: number;
  /** Keys of state held in memory between batches. */
  cachedKeys?: number;
  /** Why a record of `internalEventTypes` may not be believed to come from within; null where it may, as each may unless told otherwise. */
  originFault?: (record: StreamRecord) => string | null;
  /** How many engines share `cachedKeys` at this moment; one unless told otherwise. */
  sharedBy?: () => number;
  /** What stands under a key where that is in memory; null when nothing does. Spares a batch that is evaluated again. */
  peek?: (key: StateKey) => StateRow | null | undefined;
};

/** What is read when the partition is taken. */
export type Snapshot = {
  logTimeMs: number;
  /** Rows of the rules that begin with `@`, all of them. */
  engineRows: readonly StateRow[];
  timers: readonly SetTimer[];
  dedup: readonly Uint8Array[];
};

export type EngineBatch = { records: readonly StreamRecord[]; caughtUpAtMs: number | null };

export type Engine = ReturnType<typeof createEngine>;

/**
 * The engine of one owned partition: pure, synchronous, without I/O. A batch goes through it in this order:
 *
 *     keys = plan(batch); hold(keys, rows of keys); while ('missing' in (result = evaluate())) hold(…); commit() or rollback()
 *
 * The same log gives the same effects, however it is cut into batches.
 */
export function createEngine(options: EngineOptions, snapshot: Snapshot) {
  const { rules, originFault, peek, cachedKeys = 50_000, sharedBy } = options;
  const ruleById = new Map(rules.map((configured) => [configured.rule.id, configured]));
  const facts = factsOf(rules);
  const undoLog = createUndoLog();
  const state = createState({ undoLog, cachedKeys, sharedBy });
  const timers = createTimers({ undoLog });
  const dedup = createDedup();
  const unproven = createUnproven({ state, timers });

  const batch = createBatch();
  const scopes = createScopes({ state, facts, ruleOf: (id) => ruleById.get(id)?.rule, peek });
  const planning = createPlanning({ rules, facts, dedup, scopes, batch, originFault });
  const learningMs = options.learningDays * 86_400_000;
  const judging = createJudging({
    ...{ rules, learningMs, ruleById, facts, scopes, batch, state, timers, undoLog, unproven },
  });
  const doubting = createDoubting({ ruleById, unproven, planning, judging, scopes, batch });
  const { fireUntil, forget: forgetFirings } = createFiring({ ruleById, timers, scopes, judging, doubting, batch });
  const take = createTaking({ state, scopes, judging, doubting, batch });

  let committedMs = snapshot.logTimeMs;
  state.giveEngines(snapshot.engineRows);
  timers.give(snapshot.timers.filter((timer) => isActedOn(timer, ruleById)));
  for (const bytes of snapshot.dedup) dedup.load(bytes);

  function clearBatch(records = 0): void {
    beginBatch(batch, records, committedMs);
    scopes.clear();
    judging.forgetSuperseding();
    forgetFirings();
  }
  function reachTime(ms: number): void {
    batch.logTimeMs = Math.max(batch.logTimeMs, ms);
  }

  return {
    /** Reads the batch as far as any rule needs it, and returns the keys whose rows must be fetched. */
    plan({ records, caughtUpAtMs }: EngineBatch): StateKey[] {
      clearBatch(records.length);
      planning.read(records, caughtUpAtMs);
      for (const { rule, workspace, keys } of timers.dueBy(batch.untilMs)) scopes.slotsOf(rule, workspace, keys);
      return scopes.takeMissing();
    },

    /** Adds the rows of requested keys. A row that does not fit its rule's schema counts as absent. */
    hold: scopes.give,

    /**
     * Evaluates the planned batch. `missing`: further keys that turned out to be needed; hold them, and evaluate again.
     */
    evaluate(): { missing: StateKey[] } | { effects: Effects } {
      undoLog.revert(0);
      forgetResults(batch, committedMs);
      judging.forgetSuperseding();
      forgetFirings();
      for (const step of batch.steps) {
        fireUntil(step.atMs);
        reachTime(step.atMs);
        take(step);
        judging.settleSuperseding();
        fireUntil(step.atMs);
      }
      fireUntil(batch.lastRecordMs);
      reachTime(batch.lastRecordMs);
      fireUntil(batch.untilMs);
      if (scopes.isMissing()) return { missing: scopes.takeMissing() };
      const { logTimeMs, verdicts, lookUps, questions, newWorkspaces, poison, counts } = batch;
      const effects: Effects = {
        logTimeMs,
        state: state.changes(),
        timers: timers.changes(),
        verdicts: [...verdicts],
        lookUps: [...lookUps],
        questions: [...questions],
        newWorkspaces: [...newWorkspaces],
        dedup: dedup.pack(),
        poison: [...poison],
        counts: { ...counts },
      };
      // While Postgres writes, batches of other partitions are processed: what was read of this one is released first.
      batch.steps = [];
      scopes.clear();
      return { effects };
    },

    /** The effects are committed in Postgres: changes in memory are kept. */
    commit(): void {
      committedMs = batch.logTimeMs;
      undoLog.forget();
      state.commit();
      timers.commit();
      dedup.commit();
      clearBatch();
    },
    /** The effects are not in Postgres: memory is restored to its state before the batch. */
    rollback(): void {
      undoLog.revert(0);
      state.rollback();
      timers.commit();
      dedup.rollback();
      clearBatch();
    },
    /** Drops what has expired by the log's time. */
    sweep: () => state.sweep(committedMs),
    pendingTimers: () => timers.count(),
    /** The log's time up to which processing is committed. */
    logTimeMs: () => committedMs,
  };
}
