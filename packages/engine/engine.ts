import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { eventTypeOf, fromEventRecord } from '@tripline/contracts/event-record';
import { internalEventTypes } from '@tripline/contracts/internal';
import type { StreamRecord } from '@tripline/stream/stream';
import { createContext, engineRules, type Frame, StateNotHeld } from './context.ts';
import type { Effects, Poison } from './effects.ts';
import { factKeyOf, resolveFact } from './facts.ts';
import { createJournal } from './keyed-state/journal.ts';
import { checkName, joinKey, nameOfRule, type StateKey, splitKey } from './keyed-state/keys.ts';
import { createState, isHeld, type Slot, type StateRow } from './keyed-state/state.ts';
import { readersByType } from './readers.ts';
import { createSeen } from './seen.ts';
import { type ConfiguredRule, settingsFor } from './settings.ts';
import { createTimers, type SetTimer } from './timers.ts';
import { createUnproven, unprovenRule, type Waiting } from './unproven.ts';
import { isLearning, observeInventory, type WorkspaceFacts } from './workspace-facts.ts';

const dayMs = 86_400_000;
/** Facts of a workspace are kept for good. */
const foreverMs = 36_500 * dayMs;
const inventoryType = 'dev.cdeventsx.tripline-inventory.observed' satisfies EventType;
const proofType = 'dev.cdeventsx.tripline-delivery.looked-up' satisfies EventType;
/** Read by the engine itself, whatever rules there are. */
const ownTypes: ReadonlySet<EventType | undefined> = new Set([inventoryType, proofType]);
/** Whose tellings are made facts of. */
const factTypes: ReadonlySet<EventType> = new Set([
  'dev.cdeventsx.tripline-grant.added',
  'dev.cdeventsx.tripline-grant.changed',
  'dev.cdeventsx.tripline-grant.removed',
  'dev.cdeventsx.tripline-credential.requested',
]);
const factMs = 72 * 3_600_000;
/** Where the provider sends no time, a body of long ago looks like a new act: these are remembered for longer. */
const bodyMs = 60 * dayMs;
/** In a workspace and a month, as many. */
const mostBodies = 10_000;
const summarizedType = 'dev.cdeventsx.tripline-deliveries.summarized' satisfies EventType;
/** A timer may set itself anew in the past, but not for ever. */
const maxFiringsAtOnce = 1000;

export type EngineOptions = {
  /** In the order in which they judge. */
  rules: readonly ConfiguredRule[];
  /** How long rules that learn find nothing in a new workspace without an inventory, in days. */
  learningDays: number;
  /** Keys of state held in memory between batches. */
  cachedKeys?: number;
  /** Why a record of `internalEventTypes` may not be believed to come from within; null where it may, as each may unless told otherwise. */
  originFault?: (record: StreamRecord) => string | null;
  /** How many engines share `cachedKeys` at this moment; one unless told otherwise. */
  sharedBy?: () => number;
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

/** One rule's part in one event, prepared: touching which keys, or why not. */
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
  /** Its body was heard before under another id. */
  repeated: boolean;
  /** Why nobody can read the record. */
  fault: string | null;
};
/** A workspace while a batch is judged: what its events ask for again and again, looked up once. */
type Scope = {
  facts: Slot;
  /** Why its name is none. */
  fault: string | null;
  rules: Map<string, RuleScope>;
};
type RuleScope = { prefix: string; slots: Map<string, Slot> };

const noReadings: Reading[] = [];
const noSlot: Slot = { joined: '', before: undefined, next: undefined };

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
  const state = createState({ journal, cachedKeys: options.cachedKeys ?? 50_000, sharedBy: options.sharedBy });
  const timers = createTimers({ journal });
  const seen = createSeen();
  const unproven = createUnproven({ state, timers });
  const learningMs = options.learningDays * dayMs;
  const ruleById = new Map(options.rules.map((configured) => [configured.rule.id, configured]));
  const readers = readersByType(options.rules);

  let committedMs = snapshot.logTimeMs;
  let logTimeMs = committedMs;
  state.giveEngines(snapshot.engineRows);
  timers.give(snapshot.timers);
  for (const bytes of snapshot.seen) seen.load(bytes);

  // The batch in progress.
  let steps: Step[] = [];
  let records = 0;
  let duplicates = 0;
  let repeated = 0;
  let judged = 0;
  let timersFired = 0;
  let lastRecordMs = 0;
  let untilMs = 0;
  const missing = new Set<string>();
  const verdicts: Effects['verdicts'] = [];
  const lookUps: Effects['lookUps'] = [];
  const questions: Effects['questions'] = [];
  const newWorkspaces: string[] = [];
  const poison: Poison[] = [];
  const firings = { atMs: 0, byTimer: new Map<string, number>() };

  const frame = { keys: [], slots: [], event: null } as unknown as Frame;
  const { context, findProvisionally, settle } = createContext({
    frame,
    state,
    timers,
    journal,
    effects: { verdicts, lookUps },
    unproven,
    onTimer: ({ rule, workspace, dueMs, keys }) => {
      if (dueMs <= untilMs) slotsOf(rule, workspace, keys);
    },
  });
  const scopes = new Map<string, Scope>();

  /** What stands under a rule's keys, each asked for unless it is held. Those of the engine always are. */
  function slotsOf(rule: string, workspace: string, keys: readonly string[]): Slot[] {
    const { rules } = scopeOf(workspace);
    let scope = rules.get(rule);
    if (scope === undefined) {
      scope = { prefix: joinKey(workspace, rule, ''), slots: new Map() };
      rules.set(rule, scope);
    }
    const slots: Slot[] = [];
    for (const key of keys) slots.push(scope.slots.get(key) ?? slotOf(scope, key));
    return slots;
  }
  function slotOf(scope: RuleScope, key: string): Slot {
    const name = nameOfRule('a key', key);
    // Of runs that a rule may ask about the engine keeps rows of its own.
    const isOwn = key.startsWith('@');
    const slot = isOwn ? noSlot : state.slot(scope.prefix + name);
    scope.slots.set(key, slot);
    if (!isOwn && !isHeld(slot)) missing.add(slot.joined);
    return slot;
  }
  function scopeOf(workspace: string): Scope {
    let scope = scopes.get(workspace);
    if (scope === undefined) {
      const facts = state.slot(joinKey(workspace, engineRules.workspace, ''));
      scope = { facts, fault: faultOfWorkspace(workspace), rules: new Map() };
      scopes.set(workspace, scope);
    }
    return scope;
  }
  const factsOf = (workspace: string, nowMs: number) =>
    state.get(scopeOf(workspace).facts, nowMs) as WorkspaceFacts | undefined;

  function takeMissing(): StateKey[] {
    const keys = [...missing].map(splitKey);
    missing.clear();
    return keys;
  }

  /** Reads a record as far as it must be; undefined when nothing follows from it. `planned`: facts as this batch will change them. */
  function prepare(record: StreamRecord, atMs: number, planned: Map<string, WorkspaceFacts>): Step | undefined {
    const type = eventTypeOf(record.headers);
    // What the receiver says of itself makes no workspace, and nothing is judged by it.
    if (type === summarizedType) return undefined;
    const workspace = record.headers['ce_workspace'] ?? '';
    const mayLie = type !== undefined && internalEventTypes.has(type);
    const fault = scopeOf(workspace).fault ?? (mayLie ? (options.originFault?.(record) ?? null) : null);
    const reading = type === undefined ? undefined : readers.of(type);
    const unread = { record, atMs, workspace, event: null, readings: noReadings, repeated: false };
    if (fault !== null) return { ...unread, fault };
    if (type !== undefined && reading === undefined && !ownTypes.has(type)) {
      if (factsOf(workspace, atMs) !== undefined) return undefined;
      return { ...unread, fault };
    }
    let event: LoggedEvent;
    let repeated: boolean;
    try {
      const { partition, offset } = record;
      event = fromEventRecord(record, { partition, offset, appendedAtMs: atMs });
      const heard = seen.hear(event, atMs);
      if (heard === 'duplicate') {
        duplicates += 1;
        return undefined;
      }
      repeated = heard === 'repeated';
      if (type === inventoryType) {
        const before = planned.get(workspace) ?? factsOf(workspace, atMs) ?? { firstSeenMs: atMs };
        const after = observeInventory(before, event as LoggedEvent<typeof inventoryType>, atMs);
        for (const configured of options.rules) settingsFor(configured, after);
        planned.set(workspace, after);
      }
    } catch (error) {
      return { ...unread, fault: reasonOf(error) };
    }
    const facts = planned.get(workspace) ?? factsOf(workspace, atMs);
    const readings: Reading[] = [];
    for (const configured of reading === undefined ? [] : readers.wanting(reading, event)) {
      const part = readingOf(configured, event, facts);
      if (part !== undefined) readings.push(part);
    }
    return { record, atMs, workspace, event, readings, repeated, fault };
  }

  /** Undefined when the rule passes the event over. */
  function readingOf(
    configured: ConfiguredRule,
    event: LoggedEvent,
    facts: WorkspaceFacts | undefined,
  ): Reading | undefined {
    try {
      const keys = configured.rule.keys(event, settingsFor(configured, facts));
      if (keys.length === 0) return undefined;
      return { configured, keys, slots: slotsOf(configured.rule.id, event.workspace, keys), fault: null };
    } catch (error) {
      return { configured, keys: [], slots: [], fault: reasonOf(error) };
    }
  }

  /** Lets one rule judge an event or, when there is none, a timer of its own; what it did is undone when it throws. */
  function judge(
    configured: ConfiguredRule,
    of: Omit<Frame, 'rule' | 'settings' | 'learning'>,
    facts: WorkspaceFacts | undefined,
    timer: SetTimer | null,
  ): string | null {
    const { rule } = configured;
    const mark = journal.mark();
    frame.rule = rule;
    frame.workspace = of.workspace;
    frame.nowMs = of.nowMs;
    frame.keys = of.keys;
    frame.slots = of.slots;
    frame.event = of.event;
    frame.unproven = of.unproven;
    frame.settings = settingsFor(configured, facts);
    frame.learning = rule.learns && isLearning(facts, of.nowMs, learningMs);
    try {
      if (of.event !== null) rule.judge(of.event, context);
      else if (timer !== null) {
        countFiring(timer);
        rule.due!({ id: timer.id, dueMs: timer.dueMs, keys: timer.keys }, context);
      }
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
      if (timer.rule === unprovenRule) {
        logTimeMs = Math.max(logTimeMs, timer.dueMs);
        giveUp(timer.workspace, timer.id, logTimeMs);
        continue;
      }
      const configured = ruleById.get(timer.rule);
      if (configured?.rule.due === undefined) continue;
      logTimeMs = Math.max(logTimeMs, timer.dueMs);
      timersFired += 1;
      const { workspace, keys } = timer;
      const at = { workspace, nowMs: logTimeMs, keys, slots: slotsOf(timer.rule, workspace, keys) };
      const fault = judge(configured, { ...at, event: null, unproven: false }, factsOf(workspace, logTimeMs), timer);
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
      newWorkspaces.push(workspace);
      facts = { firstSeenMs: atMs };
      state.set(scopeOf(workspace).facts, facts, foreverMs, atMs);
    }
    if (event === null) return;
    if (isEvent(event, inventoryType)) {
      facts = observeInventory(facts, event as LoggedEvent<typeof inventoryType>, atMs);
      state.set(scopeOf(workspace).facts, facts, foreverMs, atMs);
    }
    if (isEvent(event, proofType)) {
      takeAnswer(event as LoggedEvent<typeof proofType>, atMs);
      return;
    }
    const isRepeated = isKnownBody(event, atMs) || step.repeated;
    if (isRepeated) repeated += 1;
    if (step.readings.length === 0) return;
    const told = withFact(event, atMs);
    if (isRepeated) {
      doubt(step, told, facts);
      return;
    }
    for (const reading of step.readings)
      judgeReading(reading, { record, event: told, nowMs: atMs, unproven: false }, facts);
  }
  function judgeReading(
    { configured, keys, slots, fault }: Reading,
    of: { record: StreamRecord; event: LoggedEvent; nowMs: number; unproven: boolean },
    facts: WorkspaceFacts | undefined,
  ): void {
    const { record, event, nowMs } = of;
    const { workspace } = event;
    judged += 1;
    const reason =
      fault ?? judge(configured, { workspace, nowMs, keys, slots, event, unproven: of.unproven }, facts, null);
    if (reason !== null) poison.push({ rule: configured.rule.id, reason, record, timer: null });
  }

  const ownSlot = (workspace: string, rule: string, key: string) => state.slot(joinKey(workspace, rule, key));

  /** The event with the fact that it tells, where the provider may tell it twice. */
  function withFact(event: LoggedEvent, atMs: number): LoggedEvent {
    const id = event.data['tripline.fact.id'];
    if (id === undefined || !factTypes.has(event.type)) return event;
    const key = factKeyOf(id);
    if (key === undefined) return { ...event, fact: id };
    const slot = ownSlot(event.workspace, engineRules.fact, key);
    const teller = event.data['tripline.fact.teller'] ?? '';
    const { name, row } = resolveFact(
      event,
      { id, teller },
      state.get(slot, atMs) as Parameters<typeof resolveFact>[2],
    );
    state.set(slot, row, factMs, atMs);
    return { ...event, fact: name };
  }

  /** Whether a grant's body, which bears no time, was heard within the last two months or more. */
  function isKnownBody({ workspace, type, bodySha256, data }: LoggedEvent, atMs: number): boolean {
    if (data['tripline.time.received'] !== true || bodySha256 === undefined || !factTypes.has(type)) return false;
    const slot = ownSlot(
      workspace,
      engineRules.body,
      `${type.slice(type.lastIndexOf('.') + 1)}:${bodySha256.slice(0, 32)}`,
    );
    const isKnown = state.get(slot, atMs) !== undefined;
    const month = ownSlot(workspace, engineRules.body, new Date(atMs).toISOString().slice(0, 7));
    const count = (state.get(month, atMs) as number | undefined) ?? 0;
    if (!isKnown && count >= mostBodies) return false;
    state.set(slot, 1, bodyMs, atMs);
    if (!isKnown) state.set(month, count + 1, bodyMs, atMs);
    return isKnown;
  }

  /**
   * A body that was heard before under another id: the provider's list is asked whether the delivery is its own. Until the
   * answer comes, what rules find in it is told, marked, and nothing else of what they do holds.
   */
  function doubt(step: Step, event: LoggedEvent, facts: WorkspaceFacts | undefined): void {
    const { workspace, record, atMs, readings } = step;
    const { id: eventId, source, fact } = event;
    const teller = event.data['tripline.fact.teller'] ?? null;
    const sentMs = Math.min(atMs, Date.parse(event.time));
    questions.push({ workspace, eventId, source, event: teller, heardMs: atMs, sentMs });
    const waits = unproven.wait(event, record, fact, atMs);
    for (const reading of readings) {
      if (!waits) judgeReading(reading, { record, event, nowMs: atMs, unproven: true }, facts);
      else if (reading.fault === null) judgeProvisionally(reading, event, atMs, facts);
    }
    const old = unproven.oneTooMany(workspace, atMs);
    if (old !== undefined) giveUp(workspace, old, atMs);
  }
  function judgeProvisionally(
    { configured, keys, slots }: Reading,
    event: LoggedEvent,
    nowMs: number,
    facts: WorkspaceFacts | undefined,
  ): void {
    const mark = journal.mark();
    const before = verdicts.length;
    judged += 1;
    judge(configured, { workspace: event.workspace, nowMs, keys, slots, event, unproven: true }, facts, null);
    const said = verdicts.slice(before);
    journal.revert(mark);
    // What the rule itself went on to take back was not worth telling.
    const lowered = said.flatMap((verdict) => (verdict.kind === 'lowered' ? [verdict.change.findingId] : []));
    for (const verdict of said) {
      if (verdict.kind === 'found' && !lowered.includes(verdict.finding.id)) findProvisionally(verdict.finding);
    }
  }

  function takeAnswer({ workspace, data }: LoggedEvent<typeof proofType>, nowMs: number): void {
    const { 'tripline.delivery.id': id, 'tripline.delivery.proof': proof } = data;
    const row = unproven.read(workspace, id, nowMs);
    if (row === undefined) return;
    if (proof === 'unavailable') {
      giveUp(workspace, id, nowMs);
      return;
    }
    const { waiting } = row;
    // What was judged already goes on to be doubted in what rules know of it.
    if (proof === 'listed' || waiting !== undefined) unproven.forget(workspace, id, nowMs);
    else unproven.refute(workspace, id, row, nowMs);
    if (proof === 'listed' && waiting !== undefined) judgeInFull(workspace, row.heardMs, waiting, nowMs, false);
    Object.assign(frame, { workspace, nowMs });
    settle(id, row.findings, proof === 'not-listed' ? 'refuted' : waiting === undefined ? 'vouched' : 'judged-anew');
  }
  /** Nobody can say whose the delivery is: it is judged, but takes nothing back and sets nothing off. */
  function giveUp(workspace: string, id: string, nowMs: number): void {
    const row = unproven.read(workspace, id, nowMs);
    if (row?.waiting === undefined) return;
    unproven.giveUp(workspace, id, row, nowMs);
    judgeInFull(workspace, row.heardMs, row.waiting, nowMs, true);
  }
  function judgeInFull(workspace: string, heardMs: number, waiting: Waiting, nowMs: number, isUnproven: boolean): void {
    const { value, fact, ...place } = waiting;
    const record: StreamRecord = { ...place, value: Buffer.from(value), appendedAtMs: heardMs };
    const read = fromEventRecord(record, record);
    const event = fact === undefined ? read : { ...read, fact };
    const facts = factsOf(workspace, nowMs);
    const reading = readers.of(event.type);
    for (const configured of reading === undefined ? [] : readers.wanting(reading, event)) {
      const part = readingOf(configured, event, facts);
      if (part !== undefined) judgeReading(part, { record, event, nowMs, unproven: isUnproven }, facts);
    }
  }
  function clearBatch(): void {
    steps = [];
    scopes.clear();
    missing.clear();
    clearResults();
  }
  function clearResults(): void {
    judged = 0;
    timersFired = 0;
    logTimeMs = committedMs;
    repeated = 0;
    for (const list of [verdicts, lookUps, questions, newWorkspaces, poison]) list.length = 0;
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
        questions: [...questions],
        newWorkspaces: [...newWorkspaces],
        seen: seen.pack(),
        poison: [...poison],
        counts: { records, judged, duplicates, repeated, timersFired },
      };
      // While Postgres writes, batches of other partitions are judged: what was read of this one need not outlive that.
      steps = [];
      scopes.clear();
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
