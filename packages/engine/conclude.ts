import type { AnyFact } from '@tripline/contracts/fact';
import type { AnyRule, ConcludeContext, Conclusion, RuleContext } from '@tripline/contracts/rule';
import { addObserved, authorOf, type FactRow, isEmpty, watchersOf, withConcern } from './concerns.ts';
import { type Frame, rememberMsOf } from './context.ts';
import { draftOf } from './draft.ts';
import { nameOfRule } from './keyed-state/keys.ts';
import { isHeld, type KeyedState, type Slot } from './keyed-state/state.ts';
import type { UndoLog } from './keyed-state/undo-log.ts';
import { type Changed, type Flood, factRows } from './learn-facts.ts';
import { memoize } from './memoize.ts';
import { withoutEvents } from './refuted.ts';
import type { ConfiguredRule } from './settings.ts';
import type { SetTimer, Timers } from './timers.ts';
import type { Unproven } from './unproven.ts';

/** The name in keyed state of a rule's subjects. No rule's id has a colon. */
const subjectRows = memoize((rule) => `subject:${rule}`);
/** The rule whose subject a timer rechecks; undefined where it is a rule's own timer. */
export const ruleOfSubjectRows = (name: string): string | undefined =>
  name.startsWith('subject:') ? name.slice('subject:'.length) : undefined;

/** The state of one subject: its findings, each with what it rests on, and the values that it watches. */
type SubjectRow = { standing: readonly Standing[]; watches: readonly (readonly [fact: string, key: string])[] };
type Standing = {
  subject: string;
  occasion: string;
  rests: readonly Rests[];
  /** Frozen: part of what it rests on is lost, so it no longer changes. */
  frozen?: true;
};
/** A value that a subject depends on. */
type Touched = { fact: string; key: string; isWatched: boolean; pins: readonly string[] };
const noPins: readonly string[] = [];
type Looked = { fact: AnyFact; key: string; slot: Slot; watches: boolean };
type Rests = { fact: string; key: string; events: readonly string[] };
const nothingStands: SubjectRow = { standing: [], watches: [] };

export type Concluding = ReturnType<typeof createConcluding>;

/**
 * Evaluates rules on facts. What a rule concludes of a subject now is compared with the subject's standing findings:
 * new ones are found, and those no longer concluded are retracted, unless part of what they rest on is lost.
 */
export function createConcluding(parts: {
  rules: readonly ConfiguredRule[];
  frame: Frame;
  context: RuleContext<unknown, unknown>;
  state: KeyedState;
  timers: Timers;
  undoLog: UndoLog;
  unproven: Unproven;
  /** Whether a finding stands that names a run. */
  isTainted: (run: string) => boolean;
  /** The slot of a key, asked for unless it is held. */
  slotOf: (rule: string, workspace: string, key: string) => Slot;
  /** Told of every timer that is set, before it is. */
  onTimer: (timer: SetTimer) => void;
  flooded: (flood: Flood) => void;
}) {
  const { frame, context, state, timers, undoLog, unproven, slotOf } = parts;
  const concluding = parts.rules.filter(({ rule }) => rule.concludes !== undefined);
  const byFact = new Map<AnyFact, ByFact>();
  for (const configured of concluding) {
    const { uses, about = uses } = configured.rule.concludes!;
    for (const fact of uses) {
      const { using, asked } = byFact.get(fact) ?? noRules;
      byFact.set(fact, {
        using: [...using, configured],
        asked: about.includes(fact) ? [...asked, configured] : asked,
      });
    }
  }

  /** Merges two lists of rules, in their order; cached, since few lists occur. */
  const either = new Map<Rules, Map<Rules, Rules>>();
  const lists = new Map<string, Rules>();
  function eitherOf(a: Rules, b: Rules): Rules {
    const known = either.get(a) ?? new Map<Rules, Rules>();
    let rules = known.get(b);
    if (rules === undefined) {
      const all = concluding.filter((one) => a.includes(one) || b.includes(one));
      const names = all.map(({ rule }) => rule.id).join(' ');
      rules = lists.get(names) ?? all;
      lists.set(names, rules);
      either.set(a, known.set(b, rules));
    }
    return rules;
  }

  /** What the subject at hand asked for so far. */
  let looked = new Map<Slot, Looked>();
  let isWhole = true;
  let recheckMs = Number.POSITIVE_INFINITY;
  let reason = '';
  /** Events of its workspace that are none of the provider's: nobody is shown what they told. */
  let refuted: readonly string[] | undefined;
  /** Events whose proof may yet change what is concluded. */
  const doubted = new Set<string>();

  function rowOf(fact: AnyFact, key: string, watches: boolean): FactRow | undefined {
    if (!frame.rule.concludes!.uses.includes(fact))
      throw new Error(`${frame.rule.id} reads ${fact.id}, which it does not name in uses`);
    const slot = slotOf(factRows(fact.id), frame.workspace, key);
    const entry = looked.get(slot);
    if (entry === undefined) looked.set(slot, { fact, key, slot, watches });
    else entry.watches ||= watches;
    if (isHeld(slot)) return state.get(slot, frame.nowMs) as FactRow | undefined;
    // What follows is undone, and asked again when it is held; until then it shows what else must be.
    isWhole = false;
    return undefined;
  }
  const concludeContext: ConcludeContext<unknown> = {
    get workspace() {
      return frame.workspace;
    },
    get nowMs() {
      return frame.nowMs;
    },
    get settings() {
      return frame.settings;
    },
    get learning() {
      return frame.learning;
    },
    get learnedUntilMs() {
      return frame.learnedUntilMs;
    },
    get unlistedLearnedUntilMs() {
      return frame.unlistedLearnedUntilMs;
    },
    tainted: parts.isTainted,
    lookUp: context.lookUp,
    doubtOf(eventId) {
      const doubt = context.doubtOf(eventId);
      if (doubt !== undefined) doubted.add(eventId);
      return doubt;
    },
    // biome-ignore lint/suspicious/noExplicitAny: what stands under a fact's key is its value, as its schema checked.
    read: (fact, key) => shown(rowOf(fact, key, false)) as any,
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    watch: (fact, key) => shown(rowOf(fact, key, true)) as any,
    recheckAt(ms) {
      if (ms > frame.nowMs && ms < Number.POSITIVE_INFINITY) recheckMs = Math.min(recheckMs, Math.ceil(ms));
    },
    explain(why) {
      reason = why;
    },
  };

  const shown = (row: FactRow | undefined): unknown =>
    refuted === undefined ? row?.value : withoutEvents(row?.value, refuted);

  /** Whether part of what a finding rested on is gone; undefined while that cannot be said. */
  function isGone({ rests }: Standing): boolean | undefined {
    let found: boolean | undefined = false;
    for (const { fact, key, events } of rests) {
      const slot = slotOf(factRows(fact), frame.workspace, key);
      if (!isHeld(slot)) {
        found = undefined;
        continue;
      }
      const here = new Set<string>();
      addObserved((state.get(slot, frame.nowMs) as FactRow | undefined)?.value, here);
      if (found === false && events.some((id) => !here.has(id))) found = true;
    }
    return found;
  }

  /** Ids of events on which what is concluded may rest, where any of the workspace is doubted. */
  function explaining(entry: Standing): string[] {
    if (!unproven.isAny(frame.workspace, frame.nowMs)) return [];
    const ids = new Set<string>();
    for (const { slot } of looked.values())
      addObserved(shown(state.get(slot, frame.nowMs) as FactRow | undefined), ids);
    for (const { events } of entry.rests) for (const id of events) ids.delete(id);
    return [...ids];
  }

  const isOfRefuted = ({ rests }: Standing): boolean =>
    refuted !== undefined && rests.some(({ events }) => events.some((id) => refuted!.includes(id)));

  /** Whether the subject watches the values that it watched, each of which says so, and nothing stands of it: the usual case. */
  function isConcernedAsBefore(subject: string, before: SubjectRow, watched: readonly Looked[]): boolean {
    if (before.watches.length !== watched.length) return false;
    const { nowMs, rule } = frame;
    return watched.every(({ fact, key, slot }, place) => {
      const [factBefore, keyBefore] = before.watches[place]!;
      if (fact.id !== factBefore || key !== keyBefore) return false;
      const row = state.get(slot, nowMs) as FactRow | undefined;
      const concern = row?.concerns?.find((one) => one.rule === rule.id && one.subject === subject);
      return concern?.watches === true && concern.pins === undefined;
    });
  }

  /** Keeps with each value what the subject wants of it now. Undefined while a row is not held. */
  function keepConcerns(
    subject: string,
    before: SubjectRow,
    standing: readonly Standing[],
    watched: readonly Looked[],
  ): SubjectRow | undefined {
    const { workspace, nowMs, rule, event } = frame;
    if (before.standing.length + standing.length === 0 && isConcernedAsBefore(subject, before, watched)) return before;
    const touched = new Map<Slot, Touched>();
    const touch = (fact: string, key: string): Touched => {
      const slot = slotOf(factRows(fact), workspace, key);
      const entry = touched.get(slot) ?? { fact, key, isWatched: false, pins: noPins };
      touched.set(slot, entry);
      return entry;
    };
    for (const [fact, key] of before.watches) touch(fact, key);
    for (const { fact, key, slot } of watched) touched.set(slot, { fact: fact.id, key, isWatched: true, pins: noPins });
    for (const { rests } of before.standing) for (const { fact, key } of rests) touch(fact, key);
    for (const { rests } of standing) {
      for (const { fact, key, events } of rests) {
        const entry = touch(fact, key);
        entry.pins = [...entry.pins, ...events];
      }
    }
    for (const slot of touched.keys()) if (!isHeld(slot)) return undefined;
    let watches = watched.map(({ fact, key }) => [fact.id, key] as const);
    const by = authorOf(event);
    for (const [slot, { fact: id, key, isWatched, pins }] of touched) {
      const fact = rule.concludes!.uses.find((used) => used.id === id);
      // A rule that uses it no longer has no say in it.
      if (fact === undefined) continue;
      const row = (state.get(slot, nowMs) as FactRow | undefined) ?? {};
      const { row: next, full } = withConcern(row, { rule: rule.id, subject, by, nowMs }, { watches: isWatched, pins });
      if (full) {
        watches = watches.filter(([one, other]) => one !== id || other !== key);
        parts.flooded({ fact, key, kind: 'watching', author: by });
      }
      if (next === row) continue;
      if (isEmpty(next)) state.delete(slot);
      else state.set(slot, next, fact.keepMs, nowMs);
    }
    return { standing, watches };
  }

  function apply(subject: string, before: SubjectRow, conclusions: readonly Conclusion[]): SubjectRow | undefined {
    const watched: Looked[] = [];
    for (const entry of looked.values()) if (entry.watches) watched.push(entry);
    if (watched.length > 1) watched.sort(byPlace);
    if (before.standing.length + conclusions.length === 0)
      return keepConcerns(subject, before, nothingStands.standing, watched);
    const standing: Standing[] = [];
    const former = new Map(before.standing.map((entry) => [nameOf(entry), entry]));
    const gone = new Map(before.standing.map((entry) => [entry, entry.frozen ?? isGone(entry)]));
    if ([...gone.values()].includes(undefined)) return undefined;
    const isFlooded = [...looked.values()].some(
      ({ slot }) => (state.get(slot, frame.nowMs) as FactRow | undefined)?.flooded !== undefined,
    );
    const wasFound = new Set<string>();
    for (const conclusion of frame.learning ? [] : conclusions) {
      const name = nameOf(conclusion);
      wasFound.add(name);
      const entry = former.get(name);
      if (entry !== undefined && gone.get(entry)) continue;
      const { heldUntilMs = 0 } = conclusion;
      if (heldUntilMs > frame.nowMs) {
        concludeContext.recheckAt(heldUntilMs);
        if (entry !== undefined) standing.push(entry);
        continue;
      }
      context.find(draftOf(conclusion, isFlooded));
      const { subject: of, occasion } = conclusion;
      standing.push({ subject: of, occasion, rests: restsOf(conclusion) });
    }
    for (const entry of before.standing) {
      if (gone.get(entry)) standing.push({ ...entry, frozen: true });
      // What somebody sent again is found, and stands low: it is no work of the provider's, and not nothing either.
      else if (isOfRefuted(entry) && !wasFound.has(nameOf(entry))) standing.push(entry);
      else if (!wasFound.has(nameOf(entry))) {
        const { subject: of, occasion } = entry;
        const because = explaining(entry);
        context.retract({ subject: of, occasion, reason: reason === '' ? usualReason : reason, because });
        // It stands at low until that is proved by which it would be taken back.
        const unsure = unproven.among(frame.workspace, because, frame.nowMs);
        for (const id of unsure) doubted.add(id);
        if (unsure.length > 0) standing.push(entry);
      }
    }
    return keepConcerns(subject, before, standing.sort(inOrder), watched);
  }

  /** Whether something is known in which a finding of the subject may begin; false while that is not held. */
  function mayBegin({ begins }: NonNullable<AnyRule['concludes']>, subject: string): boolean {
    if (begins === undefined) return true;
    const key = begins.key(subject);
    let isKnown = false;
    for (const fact of begins.facts) {
      const slot = slotOf(factRows(fact.id), frame.workspace, key);
      const row = isHeld(slot) ? (state.get(slot, frame.nowMs) as FactRow | undefined) : undefined;
      if (row?.value !== undefined) isKnown = true;
    }
    return isKnown;
  }

  /**
   * Concludes one subject of `frame`'s rule; what is not held yet is asked for, and nothing done.
   * @throws whatever the rule throws; nothing is done then.
   */
  function concludeSubject(configured: ConfiguredRule, subject: string): void {
    const { rule } = configured;
    const { workspace, nowMs } = frame;
    const name = nameOfRule('a subject', subject);
    // Most of those that are asked. Missing rows were requested, and the batch is evaluated again with them.
    if (!mayBegin(rule.concludes!, name)) return;
    const mark = undoLog.mark();
    if (looked.size > 0) looked = new Map();
    isWhole = true;
    recheckMs = Number.POSITIVE_INFINITY;
    reason = '';
    refuted = unproven.refutedIn(workspace, nowMs);
    if (doubted.size > 0) doubted.clear();
    try {
      const slot = slotOf(subjectRows(rule.id), workspace, name);
      const conclusions = rule.concludes!.conclude(name, concludeContext);
      const before = (isHeld(slot) ? (state.get(slot, nowMs) as SubjectRow | undefined) : undefined) ?? nothingStands;
      const after = isWhole && isHeld(slot) ? apply(name, before, conclusions) : undefined;
      if (after === undefined) {
        undoLog.revert(mark);
        return;
      }
      for (const id of doubted) unproven.ask(workspace, id, { rule: rule.id, subject: name }, nowMs);
      if (after.standing.length + after.watches.length === 0) state.delete(slot);
      else state.set(slot, after, rememberMsOf(rule), nowMs);
      const timer = { workspace, rule: subjectRows(rule.id), id: name };
      if (recheckMs === Number.POSITIVE_INFINITY) timers.clear(timer);
      else {
        const set = { ...timer, dueMs: recheckMs, keys: [name] };
        parts.onTimer(set);
        timers.set(set);
      }
    } catch (error) {
      undoLog.revert(mark);
      // Rows that are missing may be the reason.
      if (isWhole) throw error;
    }
  }

  return {
    concludeSubject,
    /** The subjects of a rule that changed facts concern, each once. */
    subjectsOf(configured: ConfiguredRule, changed: readonly Changed[], settings: unknown): Set<string> {
      const { rule } = configured;
      const subjects = new Set<string>();
      for (const { fact, key, row, before } of changed) {
        const { using, asked } = byFact.get(fact) ?? noRules;
        const isAsked = asked.includes(configured);
        const mayWatch = row.concerns !== undefined && using.includes(configured);
        // An inventory changes hundreds of values, and most rules are asked of few kinds of them.
        if (!isAsked && !mayWatch) continue;
        const told = { fact: fact.id, key, value: row.value, before };
        if (isAsked) for (const subject of rule.concludes!.subjects(told, settings)) subjects.add(subject);
        if (!mayWatch || rule.concludes!.matters?.(told) === false) continue;
        for (const subject of watchersOf(row, rule.id)) subjects.add(subject);
      }
      return subjects;
    },
    /** The rules that one of the changed facts may concern, in the order in which they judge. */
    rulesOf(changed: readonly Changed[]): Rules {
      let rules: Rules | undefined;
      for (const { fact, row } of changed) {
        const { using, asked } = byFact.get(fact) ?? noRules;
        const some = row.concerns === undefined ? asked : using;
        if (some.length === 0 || some === rules) continue;
        rules = rules === undefined ? some : eitherOf(rules, some);
      }
      return rules ?? noRules.asked;
    },
  };
}

type Rules = readonly ConfiguredRule[];
type ByFact = { using: Rules; asked: Rules };
const noRules: ByFact = { using: [], asked: [] };

const usualReason = 'by what was received since, it is in order';

const restsOf = ({ because }: Conclusion): Rests[] => {
  const byPlace = new Map<string, { fact: string; key: string; events: Set<string> }>();
  for (const { fact, key, evidence } of because) {
    const place = `${fact.id}\0${key}`;
    const entry = byPlace.get(place) ?? { fact: fact.id, key, events: new Set<string>() };
    byPlace.set(place, entry);
    entry.events.add(evidence.eventId);
  }
  return [...byPlace.values()]
    .map(({ fact, key, events }) => ({ fact, key, events: [...events].sort() }))
    .sort((a, b) => compare(a.fact, b.fact) || compare(a.key, b.key));
};

const nameOf = ({ subject, occasion }: { subject: string; occasion: string }) => `${subject}\0${occasion}`;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const inOrder = (a: Standing, b: Standing) => compare(nameOf(a), nameOf(b));
const byPlace = (a: Looked, b: Looked) => compare(a.fact.id, b.fact.id) || compare(a.key, b.key);
