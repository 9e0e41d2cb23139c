import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact } from '@tripline/contracts/fact';
import type { StreamRecord } from '@tripline/stream/stream';
import type { Batch, Moment, Step } from './batch.ts';
import type { FactRow } from './concerns.ts';
import { createConcluding } from './conclude.ts';
import { createContext, type Frame, StateNotHeldError } from './context.ts';
import { type Poison, reasonOf } from './effects.ts';
import { isHeld, type KeyedState } from './keyed-state/state.ts';
import type { UndoLog } from './keyed-state/undo-log.ts';
import { type Changed, createLearner, type FactsInUse, type Flood, factRows } from './learn-facts.ts';
import type { Scopes } from './scopes.ts';
import { type ConfiguredRule, overridden, settingsFor } from './settings.ts';
import { floodOf, rule as stateFlooded } from './state-flooded.ts';
import type { SetTimer, Timers } from './timers.ts';
import type { Learned, Unproven } from './unproven.ts';
import { isLearning, learnedUntilMsOf, type WorkspaceFacts } from './workspace-facts.ts';

const noKeys: Frame['keys'] = [];
const noSlots: Frame['slots'] = [];
/** Who finds what no rule does. */
const engineItself: ConfiguredRule = { rule: stateFlooded, written: {}, settings: {} };

export type Judging = ReturnType<typeof createJudging>;

/**
 * Runs facts and rules on events, in the one context; when one throws, its effects are undone and its part is
 * dead-lettered.
 */
export function createJudging(parts: {
  rules: readonly ConfiguredRule[];
  learningMs: number;
  ruleById: ReadonlyMap<string, ConfiguredRule>;
  facts: FactsInUse;
  scopes: Scopes;
  batch: Batch;
  state: KeyedState;
  timers: Timers;
  undoLog: UndoLog;
  unproven: Unproven;
}) {
  const { rules, learningMs, ruleById, facts, scopes, batch, state, timers, undoLog, unproven } = parts;
  const { poison, counts } = batch;
  const frame = { keys: [], slots: [], event: null } as unknown as Frame;
  const { context, isTainted, findProvisionally, settle, superseding } = createContext({
    ...{ frame, state, timers, undoLog, effects: batch, unproven, onTimer },
    ruleOf: (id) => ruleById.get(id)?.rule,
    rules: rules.map(({ rule }) => rule),
  });
  const slotOf = scopes.lateSlotOf;
  const concluding = createConcluding({
    ...{ rules, frame, context, isTainted, state, timers, undoLog, unproven, onTimer, flooded, slotOf },
  });
  const learn = createLearner({ state, flooded, wants });

  /** What a timer of this very batch will touch is asked for at once. */
  function onTimer({ rule, workspace, dueMs, keys }: SetTimer): void {
    if (dueMs <= batch.untilMs) scopes.slotsOf(rule, workspace, keys);
  }
  /** Whether settings of the workspace at hand ask that a fact keep more. */
  function wants(fact: AnyFact, name: string): boolean {
    const { workspace, nowMs } = frame;
    return facts.isWanted(fact, name, workspace, scopes.knownOf(workspace, nowMs));
  }
  /** Prepared by the engine itself, whoever is at work in the context. */
  function flooded(flood: Flood): void {
    const { rule, settings, learning, severity } = frame;
    Object.assign(frame, { rule: stateFlooded, learning: false, severity: undefined });
    context.find(floodOf(flood, frame));
    Object.assign(frame, { rule, settings, learning, severity });
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
    frame.unlistedLearnedUntilMs = rule.learns ? (known?.firstSeenMs ?? 0) + learningMs : 0;
  }

  /** Runs one rule on an event or, without one, on its own timer. Returns why it failed; null when it did not. */
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
      else if (timer !== null) rule.due!({ id: timer.id, dueMs: timer.dueMs, keys: timer.keys }, context);
      return null;
    } catch (error) {
      undoLog.revert(mark);
      return error instanceof StateNotHeldError ? null : reasonOf(error);
    }
  }

  /** Runs facts on an event; returns which changed. */
  function learnAll({ learnings, record }: Prepared, at: Moment & { event: LoggedEvent }): Changed[] {
    const changed: Changed[] = [];
    if (learnings.length === 0) return changed;
    point(engineItself, at, undefined);
    for (const learning of learnings) {
      const mark = undoLog.mark();
      const before = changed.length;
      let reason = learning.fault;
      try {
        // What is not held was asked for.
        if (learning.slots.every(isHeld)) learn(learning, at.event, at.nowMs, changed);
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
        const settings = settingsFor(configured, known, at.workspace);
        for (const subject of concluding.subjectsOf(configured, changed, settings))
          conclude(configured, subject, at, known, { record, timer: null });
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
    counts.judged += 1;
    point(configured, at, known);
    try {
      concluding.concludeSubject(configured, subject);
    } catch (error) {
      poison.push({ rule: configured.rule.id, reason: reasonOf(error), ...because });
    }
  }

  /** All that follows from an event: what facts learn, what rules judge, and what they conclude. */
  function judgeWhole(told: Prepared, at: Moment & { event: LoggedEvent }, known: WorkspaceFacts | undefined): void {
    const { readings, record } = told;
    const changed = learnAll(told, at);
    if (at.unproven && changed.length > 0) {
      const learned = changed.map(({ fact, key }) => ({ fact: fact.id, key }));
      unproven.learn(at.workspace, at.event.id, learned, at.nowMs);
    }
    for (const { configured, keys, slots, fault } of readings) {
      counts.judged += 1;
      const reason = fault ?? judge(configured, { ...at, keys, slots }, known, null);
      if (reason !== null) poison.push({ rule: configured.rule.id, reason, record, timer: null });
    }
    if (changed.length > 0) concludeAll(changed, record, at, known);
  }

  /** What an event gives to find and nothing else that follows from it: each finding stands marked, the rest is undone. */
  function judgeProvisionally(
    told: Prepared,
    at: Moment & { event: LoggedEvent },
    known: WorkspaceFacts | undefined,
  ): void {
    const { learnings, readings, record } = told;
    for (const { configured, keys, slots, fault } of readings) {
      if (fault !== null) continue;
      counts.judged += 1;
      provisionally(() => judge(configured, { ...at, keys, slots }, known, null));
    }
    if (learnings.length === 0) return;
    const poisoned = poison.length;
    provisionally(() => concludeAll(learnAll(told, at), record, at, known));
    // It is dead-lettered when the event is processed in full.
    poison.length = poisoned;
  }
  function provisionally(act: () => void): void {
    const { verdicts } = batch;
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

  return {
    judge,
    conclude,
    /** Asks what follows of things anew, as if all that is known of them had only now been received. */
    concludeAnew(learned: readonly Learned[], at: Moment, record: StreamRecord): void {
      const changed = learned.flatMap(({ fact: id, key }): Changed[] => {
        const [fact, slot] = [facts.ofRows(factRows(id)), slotOf(factRows(id), at.workspace, key)];
        const row = isHeld(slot) ? (state.get(slot, at.nowMs) as FactRow | undefined) : undefined;
        return fact === undefined || row === undefined ? [] : [{ fact, key, row, before: undefined }];
      });
      if (changed.length > 0) concludeAll(changed, record, at, scopes.knownOf(at.workspace, at.nowMs));
    },
    judgeWhole,
    judgeProvisionally,
    /** What becomes of the findings that rested on an event: see the context's `settle`. */
    settle(workspace: string, nowMs: number, ...of: Parameters<typeof settle>): void {
      Object.assign(frame, { workspace, nowMs });
      settle(...of);
    },
    /** Says which of two rules that find the same speaks, at the log's time. */
    settleSuperseding(): void {
      frame.nowMs = batch.logTimeMs;
      superseding.settle(batch.logTimeMs);
    },
    forgetSuperseding: (): void => superseding.reset(),
  };
}

/** What an event tells, and where it lay. */
type Prepared = Pick<Step, 'learnings' | 'readings' | 'record'>;
