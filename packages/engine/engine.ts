import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { eventTypeOf, fromEventRecord } from '@tripline/contracts/event-record';
import type { AnyFact } from '@tripline/contracts/fact';
import { internalEventTypes } from '@tripline/contracts/internal';
import type { StreamRecord } from '@tripline/stream/stream';
import type { FactRow } from './concerns.ts';
import { createConcluding, ruleOfSubjectRows } from './conclude.ts';
import { createContext, engineRules, type Frame, StateNotHeldError } from './context.ts';
import { createDedup, type Dedup } from './dedup.ts';
import type { Effects, Poison } from './effects.ts';
import { factKeyOf, resolveFact } from './facts.ts';
import { checkName, joinKey, nameOfRule, type StateKey, splitKey } from './keyed-state/keys.ts';
import { createState, isHeld, type Slot, type StateRow } from './keyed-state/state.ts';
import { createUndoLog } from './keyed-state/undo-log.ts';
import { type Changed, type Flood, factRows, factsOf, type Learner, type Learning, learn } from './learn-facts.ts';
import { readersByType } from './readers.ts';
import { type ConfiguredRule, overridden, settingsFor } from './settings.ts';
import { floodOf, rule as stateFlooded } from './state-flooded.ts';
import { createTimers, type SetTimer } from './timers.ts';
import { createUnproven, unprovenRule, type Waiting } from './unproven.ts';
import { isLearning, learnedUntilMsOf, observeInventory, type WorkspaceFacts } from './workspace-facts.ts';

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
  learnings: readonly Learning[];
  readings: Reading[];
  /** Its body was received before under another id. */
  repeated: boolean;
  /** Why nobody can read the record. */
  fault: string | null;
};
/** What is judged when; `event` is null where a timer is due. */
type Moment = { workspace: string; nowMs: number; event: LoggedEvent | null; unproven: boolean };
/** A workspace while a batch is judged: what its events ask for again and again, looked up once. */
type Scope = {
  facts: Slot;
  /** Why its name is none. */
  fault: string | null;
  rules: Map<string, RuleScope>;
};
type RuleScope = { prefix: string; slots: Map<string, Slot> };

const noReadings: Reading[] = [];
const noLearnings: Learning[] = [];
const noKeys: readonly string[] = [];
/** Who finds what no rule does. */
const engineItself: ConfiguredRule = { rule: stateFlooded, written: {}, settings: {} };
const noSlot: Slot = { joined: '', before: undefined, next: undefined };
const noSlots: readonly Slot[] = [];

export type Engine = ReturnType<typeof createEngine>;

/**
 * The engine of one owned partition: pure, synchronous, without I/O. A batch goes through it in this order:
 *
 *     keys = plan(batch); hold(keys, rows of keys); while ('missing' in (result = evaluate())) hold(…); commit() or rollback()
 *
 * The same log gives the same effects, however it is cut into batches.
 */
export function createEngine(options: EngineOptions, snapshot: Snapshot) {
  const undoLog = createUndoLog();
  const state = createState({ undoLog, cachedKeys: options.cachedKeys ?? 50_000, sharedBy: options.sharedBy });
  const timers = createTimers({ undoLog });
  const dedup = createDedup();
  const unproven = createUnproven({ state, timers });
  const learningMs = options.learningDays * dayMs;
  const ruleById = new Map(options.rules.map((configured) => [configured.rule.id, configured]));
  const readers = readersByType(options.rules);
  const facts = factsOf(options.rules);

  let committedMs = snapshot.logTimeMs;
  let logTimeMs = committedMs;
  state.giveEngines(snapshot.engineRows);
  timers.give(snapshot.timers);
  for (const bytes of snapshot.dedup) dedup.load(bytes);

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
  const { context, isTainted, findProvisionally, settle, superseding } = createContext({
    frame,
    state,
    timers,
    undoLog,
    effects: { verdicts, lookUps },
    unproven,
    ruleOf: (id) => ruleById.get(id)?.rule,
    rules: options.rules.map(({ rule }) => rule),
    onTimer,
  });
  function onTimer({ rule, workspace, dueMs, keys }: SetTimer): void {
    if (dueMs <= untilMs) slotsOf(rule, workspace, keys);
  }
  const concluding = createConcluding({
    ...{ rules: options.rules, frame, context, isTainted, state, timers, undoLog, unproven, onTimer, flooded },
    slotOf(rule, workspace, key) {
      const slot = slotOf(scopeOfRule(rule, workspace), key, false);
      if (isHeld(slot) || options.peek === undefined) return slot;
      const named = splitKey(slot.joined);
      const row = options.peek(named);
      if (row === undefined) return slot;
      missing.delete(slot.joined);
      state.give([named], row === null ? [] : soundOf(row));
      return slot;
    },
  });
  const learner: Learner = { state, flooded, wants };
  /** Whether settings of the workspace at hand ask that a fact keep more. */
  function wants(fact: AnyFact, name: string): boolean {
    const { workspace, nowMs } = frame;
    return facts.wanting(fact).some((configured) => {
      const settings = settingsFor(configured, knownOf(workspace, nowMs), workspace);
      return configured.rule.concludes!.wants!.names(settings).includes(name);
    });
  }
  const scopes = new Map<string, Scope>();

  /** What stands under a rule's keys, each asked for unless it is held. Those of the engine always are. */
  function slotsOf(rule: string, workspace: string, keys: readonly string[]): Slot[] {
    const scope = scopeOfRule(rule, workspace);
    const slots: Slot[] = [];
    // Of runs that a rule may ask about the engine keeps rows of its own.
    for (const key of keys) slots.push(slotOf(scope, key, key.startsWith('@')));
    return slots;
  }
  function scopeOfRule(rule: string, workspace: string): RuleScope {
    const { rules } = scopeOf(workspace);
    let scope = rules.get(rule);
    if (scope === undefined) {
      scope = { prefix: joinKey(workspace, rule, ''), slots: new Map() };
      rules.set(rule, scope);
    }
    return scope;
  }
  function slotOf(scope: RuleScope, key: string, isOwn: boolean): Slot {
    const known = scope.slots.get(key);
    if (known !== undefined) return known;
    const name = nameOfRule('a key', key);
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
  const knownOf = (workspace: string, nowMs: number) =>
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
    const learning = type === undefined ? undefined : facts.of(type);
    const nothing = { learnings: noLearnings, readings: noReadings };
    const unread = { record, atMs, workspace, event: null, ...nothing, repeated: false };
    if (fault !== null) return { ...unread, fault };
    if (type !== undefined && reading === undefined && learning === undefined && !ownTypes.has(type)) {
      if (knownOf(workspace, atMs) !== undefined) return undefined;
      return { ...unread, fault };
    }
    let event: LoggedEvent;
    let repeated: boolean;
    try {
      const { partition, offset } = record;
      if (type !== undefined && reading === undefined && !ownTypes.has(type) && tellsNothing(type, record)) {
        const arrival = dedup.classify(nameOf(type, record.headers), atMs);
        if (arrival === 'duplicate') duplicates += 1;
        if (arrival === 'duplicate' || (arrival === 'new' && knownOf(workspace, atMs) !== undefined)) return undefined;
        return { ...unread, repeated: arrival === 'repeated', fault };
      }
      event = fromEventRecord(record, { partition, offset, appendedAtMs: atMs });
      const arrival = dedup.classify(event, atMs);
      if (arrival === 'duplicate') {
        duplicates += 1;
        return undefined;
      }
      repeated = arrival === 'repeated';
      if (type === inventoryType) {
        const before = planned.get(workspace) ?? knownOf(workspace, atMs) ?? { firstSeenMs: atMs };
        const after = observeInventory(before, event as LoggedEvent<typeof inventoryType>, atMs);
        for (const configured of options.rules) settingsFor(configured, after, workspace);
        planned.set(workspace, after);
      }
    } catch (error) {
      return { ...unread, fault: reasonOf(error) };
    }
    const known = planned.get(workspace) ?? knownOf(workspace, atMs);
    return { record, atMs, workspace, event, ...partsOf(event, known), repeated, fault };
  }

  /** Seen from its bytes. What is cut off, or has no id that it could be known by, is read, and so set aside. */
  function tellsNothing(type: EventType, { headers, value }: StreamRecord): boolean {
    const isNamed = Boolean(headers['ce_id'] && headers['ce_source'] && headers['ce_time']);
    return isNamed && value !== null && isObjectText(value) && facts.passOver(type, value);
  }

  /** What facts and rules have to do with an event. */
  function partsOf(event: LoggedEvent, known: WorkspaceFacts | undefined): Pick<Step, 'learnings' | 'readings'> {
    const learning = facts.of(event.type);
    const learnings: Learning[] = [];
    for (const fact of learning ?? []) {
      const one = learningOf(fact, event);
      if (one !== undefined) learnings.push(one);
    }
    const reading = readers.of(event.type);
    const readings: Reading[] = [];
    for (const configured of reading === undefined ? [] : readers.wanting(reading, event)) {
      const part = readingOf(configured, event, known);
      if (part !== undefined) readings.push(part);
    }
    return { learnings, readings };
  }

  /** Undefined when the event tells the fact nothing. */
  function learningOf(fact: AnyFact, event: LoggedEvent): Learning | undefined {
    try {
      const told = fact.keys(event);
      if (told.length === 0) return undefined;
      const keys = told.length === 1 ? told : [...new Set(told)];
      const scope = scopeOfRule(factRows(fact.id), event.workspace);
      return { fact, keys, slots: keys.map((key) => slotOf(scope, key, false)), fault: null };
    } catch (error) {
      return { fact, keys: [], slots: [], fault: reasonOf(error) };
    }
  }

  /** Undefined when the rule passes the event over. */
  function readingOf(
    configured: ConfiguredRule,
    event: LoggedEvent,
    known: WorkspaceFacts | undefined,
  ): Reading | undefined {
    const { rule } = configured;
    if (rule.judge === undefined) return undefined;
    try {
      const keys = rule.keys === undefined ? noKeys : rule.keys(event, settingsFor(configured, known, event.workspace));
      if (rule.keys === undefined) return { configured, keys, slots: noSlots, fault: null };
      if (keys.length === 0) return undefined;
      return { configured, keys, slots: slotsOf(configured.rule.id, event.workspace, keys), fault: null };
    } catch (error) {
      return { configured, keys: [], slots: [], fault: reasonOf(error) };
    }
  }

  /** Who acts from here on, in the one context. */
  function point(configured: ConfiguredRule, at: Moment, known: WorkspaceFacts | undefined): void {
    const { rule } = configured;
    frame.rule = rule;
    frame.workspace = at.workspace;
    frame.nowMs = at.nowMs;
    frame.keys = noKeys;
    frame.slots = noSlots;
    frame.event = at.event;
    frame.unproven = at.unproven;
    frame.settings = settingsFor(configured, known, at.workspace);
    frame.severity =
      configured.overrides && overridden(configured.overrides, 'severity', { rule: rule.id, workspace: at.workspace });
    frame.learning = rule.learns && isLearning(known, at.nowMs, learningMs);
    frame.learnedUntilMs = rule.learns ? learnedUntilMsOf(known, learningMs) : 0;
  }

  /** Lets one rule judge an event or, when there is none, a timer of its own; what it did is undone when it throws. */
  function judge(
    configured: ConfiguredRule,
    at: Moment & Pick<Frame, 'keys' | 'slots'>,
    known: WorkspaceFacts | undefined,
    timer: SetTimer | null,
  ): string | null {
    const { rule } = configured;
    const mark = undoLog.mark();
    point(configured, at, known);
    frame.keys = at.keys;
    frame.slots = at.slots;
    try {
      if (at.event !== null) rule.judge!(at.event, context);
      else if (timer !== null) {
        countFiring(timer);
        rule.due!({ id: timer.id, dueMs: timer.dueMs, keys: timer.keys }, context);
      }
      return null;
    } catch (error) {
      undoLog.revert(mark);
      return error instanceof StateNotHeldError ? null : reasonOf(error);
    }
  }

  /** Lets facts learn an event; answers what changed. */
  function learnAll(
    learnings: readonly Learning[],
    record: StreamRecord,
    at: Moment & { event: LoggedEvent },
  ): Changed[] {
    const changed: Changed[] = [];
    if (learnings.length === 0) return changed;
    point(engineItself, at, undefined);
    for (const learning of learnings) {
      const mark = undoLog.mark();
      const before = changed.length;
      let reason = learning.fault;
      try {
        // What is not held was asked for.
        if (learning.slots.every(isHeld)) learn(learning, at.event, at.nowMs, learner, changed);
      } catch (error) {
        undoLog.revert(mark);
        changed.length = before;
        reason = reasonOf(error);
      }
      if (reason !== null) poison.push({ rule: factRows(learning.fact.id), reason, record, timer: null });
    }
    return changed;
  }

  /** Asks each rule that what changed may concern what follows. */
  function concludeAll(
    changed: readonly Changed[],
    record: StreamRecord,
    at: Moment,
    known: WorkspaceFacts | undefined,
  ): void {
    for (const configured of concluding.rulesOf(changed)) {
      try {
        for (const subject of concluding.subjectsOf(
          configured,
          changed,
          settingsFor(configured, known, at.workspace),
        )) {
          conclude(configured, subject, at, known, { record, timer: null });
        }
      } catch (error) {
        poison.push({ rule: configured.rule.id, reason: reasonOf(error), record, timer: null });
      }
    }
  }
  function conclude(
    configured: ConfiguredRule,
    subject: string,
    at: Moment,
    known: WorkspaceFacts | undefined,
    because: Pick<Poison, 'record' | 'timer'>,
  ): void {
    judged += 1;
    point(configured, at, known);
    try {
      concluding.concludeSubject(configured, subject);
    } catch (error) {
      poison.push({ rule: configured.rule.id, reason: reasonOf(error), ...because });
    }
  }

  /** Told by the engine itself, whoever is at work in the context. */
  function flooded(flood: Flood): void {
    const { rule, settings, learning, severity } = frame;
    Object.assign(frame, { rule: stateFlooded, learning: false, severity: undefined });
    context.find(floodOf(flood, frame));
    Object.assign(frame, { rule, settings, learning, severity });
  }

  function fireTimers(dueByMs: number): void {
    let firedMs: number | undefined;
    for (;;) {
      const timer = timers.next(dueByMs);
      // Those of one moment say together what they say.
      if (firedMs !== undefined && timer?.dueMs !== firedMs) settleSuperseding();
      if (timer === undefined) return;
      firedMs = timer.dueMs;
      timers.clear(timer);
      if (timer.rule === unprovenRule) {
        logTimeMs = Math.max(logTimeMs, timer.dueMs);
        giveUp(timer.workspace, timer.id, logTimeMs);
        continue;
      }
      const { workspace, keys } = timer;
      const concludes = ruleOfSubjectRows(timer.rule);
      const configured = ruleById.get(concludes ?? timer.rule);
      if ((concludes === undefined ? configured?.rule.due : configured?.rule.concludes) === undefined) continue;
      logTimeMs = Math.max(logTimeMs, timer.dueMs);
      timersFired += 1;
      const at = { workspace, nowMs: logTimeMs, event: null, unproven: false };
      const known = knownOf(workspace, logTimeMs);
      if (concludes !== undefined) {
        conclude(configured!, timer.id, at, known, { record: null, timer });
        continue;
      }
      const slots = slotsOf(timer.rule, workspace, keys);
      const fault = judge(configured!, { ...at, keys, slots }, known, timer);
      if (fault !== null) poison.push({ rule: timer.rule, reason: fault, record: null, timer });
    }
  }
  /** At the log's time. */
  function settleSuperseding(): void {
    frame.nowMs = logTimeMs;
    superseding.settle(logTimeMs);
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
    let known = knownOf(workspace, atMs);
    if (known === undefined) {
      newWorkspaces.push(workspace);
      known = { firstSeenMs: atMs };
      state.set(scopeOf(workspace).facts, known, foreverMs, atMs);
    }
    if (event === null) {
      if (step.repeated) repeated += 1;
      return;
    }
    if (isEvent(event, inventoryType)) {
      known = observeInventory(known, event as LoggedEvent<typeof inventoryType>, atMs);
      state.set(scopeOf(workspace).facts, known, foreverMs, atMs);
    }
    if (isEvent(event, proofType)) {
      takeAnswer(event as LoggedEvent<typeof proofType>, record, atMs);
      // An answer may say more of the delivery than whether it is the provider's.
      if (step.learnings.length > 0) {
        judgeWhole(
          { ...step, readings: noReadings },
          record,
          { workspace, event, nowMs: atMs, unproven: false },
          known,
        );
      }
      return;
    }
    const isRepeated = isKnownBody(event, atMs) || step.repeated;
    if (isRepeated) repeated += 1;
    if (step.readings.length === 0 && step.learnings.length === 0) return;
    const told = withFact(event, atMs);
    if (isRepeated) doubt(step, told, known);
    else judgeWhole(step, record, { workspace, event: told, nowMs: atMs, unproven: false }, known);
  }

  /** All that follows from an event: what facts learn, what rules judge, and what they conclude. */
  function judgeWhole(
    { learnings, readings }: Pick<Step, 'learnings' | 'readings'>,
    record: StreamRecord,
    at: Moment & { event: LoggedEvent },
    known: WorkspaceFacts | undefined,
  ): void {
    const changed = learnAll(learnings, record, at);
    for (const { configured, keys, slots, fault } of readings) {
      judged += 1;
      const reason = fault ?? judge(configured, { ...at, keys, slots }, known, null);
      if (reason !== null) poison.push({ rule: configured.rule.id, reason, record, timer: null });
    }
    if (changed.length > 0) concludeAll(changed, record, at, known);
  }

  /** A row as far as its rule or fact takes it; none where it does not. */
  function soundOf(row: StateRow): StateRow[] {
    const fact = facts.ofRows(row.rule);
    if (fact === undefined)
      return (ruleById.get(row.rule)?.rule.state?.safeParse(row.value).success ?? true) ? [row] : [];
    const { value, ...rest } = row.value as FactRow;
    return value === undefined || fact.value.safeParse(value).success ? [row] : [{ ...row, value: rest }];
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

  /** Whether a grant's body, which bears no time, was received within the last two months or more. */
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
   * A body that was received before under another id: the provider's list is asked whether the delivery is its own. Until the
   * answer comes, what rules find in it is told, marked, and nothing else of what they do holds.
   */
  function doubt(step: Step, event: LoggedEvent, known: WorkspaceFacts | undefined): void {
    const { workspace, record, atMs } = step;
    const { id: eventId, source, fact } = event;
    const teller = event.data['tripline.fact.teller'] ?? null;
    const sentMs = Math.min(atMs, Date.parse(event.time));
    questions.push({ workspace, eventId, source, event: teller, heardMs: atMs, sentMs });
    const at = { workspace, event, nowMs: atMs, unproven: true };
    if (unproven.wait(event, record, fact, atMs)) judgeProvisionally(step, at, known);
    else judgeWhole(step, record, at, known);
    const old = unproven.oneTooMany(workspace, atMs);
    if (old !== undefined) giveUp(workspace, old, atMs);
  }
  function judgeProvisionally(
    { learnings, readings, record }: Step,
    at: Moment & { event: LoggedEvent },
    known: WorkspaceFacts | undefined,
  ): void {
    for (const { configured, keys, slots, fault } of readings) {
      if (fault !== null) continue;
      judged += 1;
      provisionally(() => judge(configured, { ...at, keys, slots }, known, null));
    }
    if (learnings.length === 0) return;
    const poisoned = poison.length;
    provisionally(() => concludeAll(learnAll(learnings, record, at), record, at, known));
    // It is set aside when the event is judged in full.
    poison.length = poisoned;
    function provisionally(act: () => void): void {
      const mark = undoLog.mark();
      const before = verdicts.length;
      act();
      const said = verdicts.slice(before);
      undoLog.revert(mark);
      // What the rule itself went on to take back was not worth telling.
      const lowered = said.flatMap((verdict) => (verdict.kind === 'lowered' ? [verdict.change.findingId] : []));
      for (const verdict of said) {
        if (verdict.kind !== 'found' || lowered.includes(verdict.finding.id)) continue;
        const { rule } = verdict.finding;
        frame.rule = ruleById.get(rule)?.rule ?? stateFlooded;
        findProvisionally(verdict.finding);
      }
    }
  }

  function takeAnswer({ workspace, data }: LoggedEvent<typeof proofType>, record: StreamRecord, nowMs: number): void {
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
    const at = { workspace, nowMs, event: null, unproven: false };
    for (const { rule, subject } of row.asks ?? []) {
      const configured = ruleById.get(rule);
      if (configured?.rule.concludes === undefined) continue;
      conclude(configured, subject, at, knownOf(workspace, nowMs), { record, timer: null });
    }
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
    const known = knownOf(workspace, nowMs);
    judgeWhole(partsOf(event, known), record, { workspace, event, nowMs, unproven: isUnproven }, known);
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
    superseding.reset();
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
      state.give(keys, rows.flatMap(soundOf));
    },

    /** Judges the planned batch. `missing`: keys that only showed on the way; hold them, and evaluate again. */
    evaluate(): { missing: StateKey[] } | { effects: Effects } {
      undoLog.revert(0);
      clearResults();
      for (const step of steps) {
        fireTimers(step.atMs);
        logTimeMs = Math.max(logTimeMs, step.atMs);
        take(step);
        settleSuperseding();
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
        dedup: dedup.pack(),
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
      undoLog.forget();
      state.commit();
      timers.commit();
      dedup.commit();
      clearBatch();
    },
    /** The effects are not in Postgres: memory is as it was before the batch. */
    rollback(): void {
      undoLog.revert(0);
      state.rollback();
      timers.commit();
      dedup.rollback();
      clearBatch();
    },
    /** Lets go of what has expired by the log's time. */
    sweep: () => state.sweep(committedMs),
    pendingTimers: () => timers.count(),
    /** The log's time up to which what was judged is committed. */
    logTimeMs: () => committedMs,
  };
}

const [opened, closed] = [0x7b, 0x7d];
const isObjectText = (value: Buffer): boolean => value[0] === opened && value.at(-1) === closed;

/** What an event is known by, from its headers alone. */
function nameOf(type: EventType, headers: StreamRecord['headers']): Parameters<Dedup['classify']>[0] {
  const { ce_id: id = '', ce_source: source = '', ce_bodysha256: bodySha256 } = headers;
  return bodySha256 === undefined ? { type, id, source } : { type, id, source, bodySha256 };
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
