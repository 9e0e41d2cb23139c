import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { eventTypeOf, fromEventRecord } from '@tripline/contracts/event-record';
import type { StreamRecord } from '@tripline/stream/contract';
import { createContext, engineRules, type Frame, StateNotHeld } from './context.ts';
import type { Effects, Poison } from './effects.ts';
import { createJournal } from './journal.ts';
import { checkName, joinKey, type StateKey, splitKey } from './keys.ts';
import { createSeen } from './seen.ts';
import { type ConfiguredRule, settingsFor } from './settings.ts';
import { createState, isHeld, type Slot, type StateRow } from './state.ts';
import { createTimers, type SetTimer } from './timers.ts';
import { isLearning, observeInventory, type WorkspaceFacts } from './workspace-facts.ts';

const dayMs = 86_400_000;
/** Facts of a workspace are kept for good. */
const foreverMs = 36_500 * dayMs;
const inventoryType = 'dev.cdeventsx.tripline-inventory.observed' satisfies EventType;
/** A timer may set itself anew in the past, but not for ever. */
const maxFiringsAtOnce = 1000;

export type EngineOptions = {
  /** In the order in which they judge. */
  rules: readonly ConfiguredRule[];
  /** How long rules that learn find nothing in a new workspace without an inventory, in days. */
  learningDays: number;
  /** Keys of state held in memory between batches. */
  cachedKeys?: number;
};

/** What is read when the partition is taken. */
export type Snapshot = {
  logTimeMs: number;
  /** Rows of the rules that begin with `@`, all of them. */
  engineRows: readonly StateRow[];
  timers: readonly SetTimer[];
  seen: readonly Uint8Array[];
};

export type EngineBatch = { records: readonly StreamRecord[]; caughtUpAtMs: number | null };

/** One rule's part in one event, prepared: with what settings, touching which keys, or why not. */
type Reading = {
  configured: ConfiguredRule;
  keys: readonly string[];
  slots: readonly Slot[];
  fault: string | null;
};
type Step = {
  record: StreamRecord;
  atMs: number;
  workspace: string;
  event: LoggedEvent | null;
  readings: Reading[];
  /** Why nobody can read the record. */
  fault: string | null;
};

export type Engine = ReturnType<typeof createEngine>;

/**
 * The engine of one owned partition: pure, synchronous, without I/O. A batch goes through it in this order:
 *
 *     keys = plan(batch); hold(keys, rows of keys); while ('missing' in (result = evaluate())) hold(…); commit() or rollback()
 *
 * The same log gives the same effects, however it is cut into batches.
 */
export function createEngine(options: EngineOptions, snapshot: Snapshot) {
  const journal = createJournal();
  const state = createState({ journal, cachedKeys: options.cachedKeys ?? 200_000 });
  const timers = createTimers({ journal });
  const seen = createSeen();
  const learningMs = options.learningDays * dayMs;
  const ruleById = new Map(options.rules.map((configured) => [configured.rule.id, configured]));
  const readers = new Map<EventType, ConfiguredRule[]>();
  for (const configured of options.rules) {
    for (const type of configured.rule.reads) readers.set(type, [...(readers.get(type) ?? []), configured]);
  }

  let committedMs = snapshot.logTimeMs;
  let logTimeMs = committedMs;
  state.giveEngines(snapshot.engineRows);
  timers.give(snapshot.timers);
  for (const bytes of snapshot.seen) seen.load(bytes);

  // The batch in progress.
  let steps: Step[] = [];
  let records = 0;
  let duplicates = 0;
  let judged = 0;
  let timersFired = 0;
  let lastRecordMs = 0;
  let untilMs = 0;
  const missing = new Set<string>();
  const verdicts: Effects['verdicts'] = [];
  const lookUps: Effects['lookUps'] = [];
  const newWorkspaces: string[] = [];
  const poison: Poison[] = [];
  const firings = { atMs: 0, byTimer: new Map<string, number>() };

  const frame = { keys: [], slots: [], event: null } as unknown as Frame;
  const context = createContext({
    frame,
    state,
    timers,
    journal,
    effects: { verdicts, lookUps },
    onTimer: ({ rule, workspace, dueMs, keys }) => {
      if (dueMs <= untilMs) slotsOf(rule, workspace, keys);
    },
  });

  /** What stands under a rule's keys, each asked for unless it is held. Those of the engine always are. */
  function slotsOf(rule: string, workspace: string, keys: readonly string[]): Slot[] {
    return keys.map((key) => {
      const slot = state.slot(joinKey(workspace, rule, key));
      if (!isHeld(slot) && !key.startsWith('@')) missing.add(slot.joined);
      return slot;
    });
  }
  const factsKeys = new Map<string, string>();
  function factsKey(workspace: string): string {
    let key = factsKeys.get(workspace);
    if (key === undefined) {
      key = joinKey(workspace, engineRules.workspace, '');
      factsKeys.set(workspace, key);
    }
    return key;
  }
  const factsOf = (workspace: string, nowMs: number) =>
    state.get(state.slot(factsKey(workspace)), nowMs) as WorkspaceFacts | undefined;

  function takeMissing(): StateKey[] {
    const keys = [...missing].map(splitKey);
    missing.clear();
    return keys;
  }

  /** Reads a record as far as it must be; undefined when nothing follows from it. `planned`: facts as this batch will change them. */
  function prepare(record: StreamRecord, atMs: number, planned: Map<string, WorkspaceFacts>): Step | undefined {
    const type = eventTypeOf(record.headers);
    const workspace = record.headers['ce_workspace'] ?? '';
    const reading = type === undefined ? undefined : readers.get(type);
    if (type !== undefined && reading === undefined && type !== inventoryType) {
      if (workspace === '' || factsOf(workspace, atMs) !== undefined) return undefined;
      return { record, atMs, workspace, event: null, readings: [], fault: faultOfWorkspace(workspace) };
    }
    const step: Step = { record, atMs, workspace, event: null, readings: [], fault: faultOfWorkspace(workspace) };
    if (step.fault !== null) return step;
    try {
      const event = fromEventRecord(record, {
        partition: record.partition,
        offset: record.offset,
        appendedAtMs: atMs,
      });
      if (seen.isDuplicate(event, atMs)) {
        duplicates += 1;
        return undefined;
      }
      if (isEvent(event, inventoryType)) {
        const before = planned.get(workspace) ?? factsOf(workspace, atMs) ?? { firstSeenMs: atMs };
        const after = observeInventory(before, event as LoggedEvent<typeof inventoryType>, atMs);
        for (const configured of options.rules) settingsFor(configured, after);
        planned.set(workspace, after);
      }
      step.event = event;
    } catch (error) {
      step.fault = reasonOf(error);
      return step;
    }
    const facts = planned.get(workspace) ?? factsOf(workspace, atMs);
    for (const configured of reading ?? []) step.readings.push(readingOf(configured, step.event, facts));
    return step;
  }

  function readingOf(configured: ConfiguredRule, event: LoggedEvent, facts: WorkspaceFacts | undefined): Reading {
    try {
      const keys = configured.rule.keys(event, settingsFor(configured, facts));
      for (const key of keys) checkName('a key', key);
      return { configured, keys, slots: slotsOf(configured.rule.id, event.workspace, keys), fault: null };
    } catch (error) {
      return { configured, keys: [], slots: [], fault: reasonOf(error) };
    }
  }

  /** Lets one rule judge; what it did is undone when it throws. */
  function judge(
    configured: ConfiguredRule,
    of: Pick<Frame, 'workspace' | 'nowMs' | 'keys' | 'slots' | 'event'>,
    call: () => void,
  ) {
    const mark = journal.mark();
    const facts = factsOf(of.workspace, of.nowMs);
    frame.rule = configured.rule;
    frame.workspace = of.workspace;
    frame.nowMs = of.nowMs;
    frame.keys = of.keys;
    frame.slots = of.slots;
    frame.event = of.event;
    frame.settings = settingsFor(configured, facts);
    frame.learning = configured.rule.learns && isLearning(facts, of.nowMs, learningMs);
    try {
      call();
      return null;
    } catch (error) {
      journal.revert(mark);
      return error instanceof StateNotHeld ? null : reasonOf(error);
    }
  }

  function fireTimers(dueByMs: number): void {
    for (;;) {
      const timer = timers.next(dueByMs);
      if (timer === undefined) return;
      timers.clear(timer);
      const configured = ruleById.get(timer.rule);
      if (configured?.rule.due === undefined) continue;
      logTimeMs = Math.max(logTimeMs, timer.dueMs);
      timersFired += 1;
      const { workspace, keys } = timer;
      const at = { workspace, nowMs: logTimeMs, keys, slots: slotsOf(timer.rule, workspace, keys), event: null };
      const fault = judge(configured, at, () => {
        countFiring(timer);
        configured.rule.due!({ id: timer.id, dueMs: timer.dueMs, keys: timer.keys }, context);
      });
      if (fault !== null) poison.push({ rule: timer.rule, reason: fault, record: null, timer });
    }
  }
  function countFiring(timer: SetTimer): void {
    if (firings.atMs !== logTimeMs) {
      firings.atMs = logTimeMs;
      firings.byTimer.clear();
    }
    const name = joinKey(timer.workspace, timer.rule, timer.id);
    const count = (firings.byTimer.get(name) ?? 0) + 1;
    firings.byTimer.set(name, count);
    if (count > maxFiringsAtOnce) throw new Error(`timer ${timer.id} sets itself anew without end`);
  }

  function take(step: Step): void {
    const { record, workspace, event, atMs } = step;
    if (step.fault !== null) {
      poison.push({ rule: null, reason: step.fault, record, timer: null });
      return;
    }
    let facts = factsOf(workspace, atMs);
    if (facts === undefined) {
      facts = { firstSeenMs: atMs };
      newWorkspaces.push(workspace);
      state.set(state.slot(factsKey(workspace)), facts, foreverMs, atMs);
    }
    if (event === null) return;
    if (isEvent(event, inventoryType)) {
      const after = observeInventory(facts, event as LoggedEvent<typeof inventoryType>, atMs);
      state.set(state.slot(factsKey(workspace)), after, foreverMs, atMs);
    }
    for (const { configured, keys, slots, fault } of step.readings) {
      if (fault === null && keys.length === 0) continue;
      judged += 1;
      const of = { workspace, nowMs: atMs, keys, slots, event };
      const reason = fault ?? judge(configured, of, () => configured.rule.judge(event, context));
      if (reason !== null) poison.push({ rule: configured.rule.id, reason, record, timer: null });
    }
  }

  function clearBatch(): void {
    steps = [];
    missing.clear();
    clearResults();
  }
  function clearResults(): void {
    judged = 0;
    timersFired = 0;
    logTimeMs = committedMs;
    for (const list of [verdicts, lookUps, newWorkspaces, poison]) list.length = 0;
    firings.byTimer.clear();
  }

  return {
    /** Reads the batch as far as some rule wants it, and answers the keys whose rows must be fetched. */
    plan(batch: EngineBatch): StateKey[] {
      clearBatch();
      records = batch.records.length;
      duplicates = 0;
      lastRecordMs = committedMs;
      const planned = new Map<string, WorkspaceFacts>();
      for (const record of batch.records) {
        lastRecordMs = Math.max(lastRecordMs, record.appendedAtMs);
        const step = prepare(record, lastRecordMs, planned);
        if (step !== undefined) steps.push(step);
      }
      untilMs = Math.max(lastRecordMs, batch.caughtUpAtMs ?? 0);
      for (const { rule, workspace, keys } of timers.dueBy(untilMs)) slotsOf(rule, workspace, keys);
      return takeMissing();
    },

    /** Takes in the rows of keys that were asked for. A row that its rule's schema does not take counts as absent. */
    hold(keys: readonly StateKey[], rows: readonly StateRow[]): void {
      const sound = rows.filter((row) => ruleById.get(row.rule)?.rule.state.safeParse(row.value).success ?? true);
      state.give(keys, sound);
    },

    /** Judges the planned batch. `missing`: keys that only showed on the way; hold them, and evaluate again. */
    evaluate(): { missing: StateKey[] } | { effects: Effects } {
      journal.revert(0);
      clearResults();
      for (const step of steps) {
        fireTimers(step.atMs);
        logTimeMs = Math.max(logTimeMs, step.atMs);
        take(step);
        fireTimers(step.atMs);
      }
      fireTimers(lastRecordMs);
      logTimeMs = Math.max(logTimeMs, lastRecordMs);
      fireTimers(untilMs);
      if (missing.size > 0) return { missing: takeMissing() };
      const effects: Effects = {
        logTimeMs,
        state: state.changes(),
        timers: timers.changes(),
        verdicts: [...verdicts],
        lookUps: [...lookUps],
        newWorkspaces: [...newWorkspaces],
        seen: seen.pack(),
        poison: [...poison],
        counts: { records, judged, duplicates, timersFired },
      };
      return { effects };
    },

    /** The effects are in Postgres: what was done in memory holds. */
    commit(): void {
      committedMs = logTimeMs;
      journal.forget();
      state.commit();
      timers.commit();
      seen.commit();
      clearBatch();
    },
    /** The effects are not in Postgres: memory is as it was before the batch. */
    rollback(): void {
      journal.revert(0);
      state.rollback();
      timers.commit();
      seen.rollback();
      clearBatch();
    },
    /** Lets go of what has expired by the log's time. */
    sweep: () => state.sweep(committedMs),
    pendingTimers: () => timers.count(),
    /** The log's time up to which what was judged is committed. */
    logTimeMs: () => committedMs,
  };
}

function faultOfWorkspace(workspace: string): string | null {
  try {
    checkName('header ce_workspace', workspace);
    return workspace === '' ? 'header ce_workspace is missing' : null;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  // JSON faults quote the text, which may hold what should not be copied.
  if (error instanceof SyntaxError) return 'the value is no valid JSON';
  const message = error instanceof Error ? error.message : String(error);
  return message.toWellFormed().replaceAll('\0', '\ufffd').slice(0, 1000);
}
