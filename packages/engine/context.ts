import type { LoggedEvent } from '@tripline/contracts/event';
import { type Entity, type Finding, isGraver, isSameEntity, type Severity } from '@tripline/contracts/finding';
import type { AnyRule, FindingDraft, RuleContext } from '@tripline/contracts/rule';
import { runKey } from '@tripline/contracts/rule';
import { clean, completeFinding, identify } from './draft.ts';
import type { Effects, FindingChange } from './effects.ts';
import { checkName, nameOfRule } from './keyed-state/keys.ts';
import { isHeld, type KeyedState, type Slot } from './keyed-state/state.ts';
import type { UndoLog } from './keyed-state/undo-log.ts';
import { type ActRow, createSuperseding, type Named } from './superseding.ts';
import type { SetTimer, Timers } from './timers.ts';
import type { Unproven } from './unproven.ts';

/** How long a question is remembered, and at least how long a finding is. */
const leastRememberMs = 72 * 3_600_000;
/** How long a run stays tainted: longer than anything that was learned from it. */
const taintMs = 180 * 24 * 3_600_000;

/** How long what a rule found is remembered, ms: as long as anything may still change it. */
export function rememberMsOf(rule: AnyRule): number {
  return rule.rememberMs ?? Math.max(leastRememberMs, ...(rule.concludes?.uses ?? []).map(({ keepMs }) => keepMs));
}

/** Rules under which the engine keeps its own rows. */
export const engineRules = {
  workspace: '@workspace',
  finding: '@finding',
  run: '@run',
  lookUp: '@look-up',
  fact: '@fact',
  body: '@body',
  act: '@act',
} as const;

/**
 * A finding as far as the engine must know it. `runs`: each by its key, or by name where no event told an id, as of former
 * versions. `told`: ids of the evidence's events; `entities`: kind and name of each, and in the same places of `keys` its key,
 * or nothing; those and `severity` are what another finding of the same may add to, and rows of former versions do not say.
 * `unproven`: events it rests on and nobody has vouched for. `lowered`: an explanation was
 * not proved (`explained`), or what it rests on is refuted. `wider`: the findings
 * of the same by wider rules, for which it speaks; `under`: ids of those that may speak for it, `narrower`: that do; `twins`: of
 * one act with it, of which the graver speaks.
 */
type FoundRow = {
  runs: readonly string[];
  withdrawn?: true;
  told?: readonly string[];
  entities?: readonly string[];
  keys?: readonly string[];
  severity?: Severity;
  unproven?: readonly string[];
  lowered?: true;
  explained?: true;
  wider?: readonly Named[];
  under?: readonly string[];
  narrower?: readonly string[];
  twins?: readonly Named[];
};
type RunRow = { findings: string[] };

/** The rule that is running, and on what. The object is reused: a context must not be used after its call. */
export type Frame = {
  rule: AnyRule;
  workspace: string;
  nowMs: number;
  settings: unknown;
  learning: boolean;
  learnedUntilMs: number;
  unlistedLearnedUntilMs: number;
  /** Severity of each finding by the user's override, whatever the rule says. */
  severity: Severity | undefined;
  /** Keys of state that were declared. */
  keys: readonly string[];
  /** What stands under each of them. */
  slots: readonly Slot[];
  /** Null in `due`. */
  event: LoggedEvent | null;
  /** `event` is unproven. */
  unproven: boolean;
};

/** State that the batch needs and does not hold yet; the batch is evaluated again with it. */
export class StateNotHeldError extends Error {}

/** The one context of an engine; it answers for whatever `frame` says. */
export function createContext(parts: {
  frame: Frame;
  state: KeyedState;
  timers: Timers;
  undoLog: UndoLog;
  effects: Pick<Effects, 'verdicts' | 'lookUps'>;
  unproven: Unproven;
  ruleOf: (id: string) => AnyRule | undefined;
  rules: readonly AnyRule[];
  /** Told of every timer that is set, before it is. */
  onTimer: (timer: SetTimer) => void;
}) {
  const { frame, state, timers, undoLog, effects, unproven } = parts;

  /** Of a timer the keys are named as they were kept. */
  function placeOf(key: string): number {
    const place = frame.keys.indexOf(key);
    return place < 0 && !key.isWellFormed() ? frame.keys.indexOf(key.toWellFormed()) : place;
  }
  function declared(key: string): Slot {
    const place = placeOf(key);
    if (place < 0 || key.startsWith('@')) {
      throw new Error(`${frame.rule.id} touches state under ${JSON.stringify(key)}, which it did not name in keys`);
    }
    const slot = frame.slots[place]!;
    if (!isHeld(slot)) throw new StateNotHeldError();
    return slot;
  }
  function append<T>(list: T[], item: T): void {
    list.push(item);
    undoLog.note(() => list.pop());
  }
  const slotIn = (workspace: string, rule: string, key: string) => state.slot(workspace, rule, key);
  const rowIn = (...place: Parameters<typeof slotIn>) => state.get(slotIn(...place), frame.nowMs);
  const engines = (rule: string, key: string) => slotIn(frame.workspace, rule, key);
  const keepEngines = (rule: string, key: string, value: unknown, keepMs: number) =>
    state.set(engines(rule, key), value, keepMs, frame.nowMs);
  const known = (id: string) => rowIn(frame.workspace, engineRules.finding, id) as FoundRow | undefined;
  const rememberMs = ({ rule }: Named) => {
    const found = parts.ruleOf(rule);
    return found === undefined ? leastRememberMs : rememberMsOf(found);
  };
  const superseding = createSuperseding({
    rules: parts.rules,
    verdicts: effects.verdicts,
    read: (workspace, id) => rowIn(workspace, engineRules.finding, id) as FoundRow | undefined,
    keep(workspace, of, change) {
      const slot = slotIn(workspace, engineRules.finding, of.id);
      const { narrower, ...row } = { ...(state.get(slot, frame.nowMs) as FoundRow), ...change };
      state.set(slot, (narrower ?? []).length === 0 ? row : { ...row, narrower }, rememberMs(of), frame.nowMs);
    },
    readAct: (workspace, act) => rowIn(workspace, engineRules.act, act) as ActRow | undefined,
    keepAct: (workspace, act, row, of) =>
      state.set(slotIn(workspace, engineRules.act, act), row, rememberMs(of), frame.nowMs),
  });
  function keepFound(of: Named, row: FoundRow): void {
    keepEngines(engineRules.finding, of.id, row, rememberMs(of));
    superseding.changed(frame.workspace, of, row);
  }
  const change = (kind: 'proven' | 'lowered' | 'grown', { id, rule }: Named, more: Partial<FindingChange> = {}) => {
    const { workspace, nowMs } = frame;
    append(effects.verdicts, { kind, change: { findingId: id, workspace, rule, atMs: nowMs, ...more } });
  };
  const actsOf = ({ acts }: Pick<FindingDraft, 'acts'>) =>
    acts ?? (frame.event ? [frame.event.fact ?? frame.event.id] : []);
  const own = (id: string): Named => ({ id, rule: frame.rule.id });
  const keepRun = (run: string, row: RunRow) => state.set(engines(engineRules.run, run), row, taintMs, frame.nowMs);
  const getRun = (run: string) => state.get(engines(engineRules.run, run), frame.nowMs) as RunRow | undefined;

  function markRuns(of: Named, runs: readonly string[]): void {
    for (const run of runs) {
      keepRun(run, { findings: [...(getRun(run)?.findings ?? []), of.id] });
    }
  }
  function markRunsFree(of: Named, runs: readonly string[]): void {
    for (const run of runs) {
      const standing = (getRun(run)?.findings ?? []).filter((other) => other !== of.id);
      if (standing.length === 0) state.delete(engines(engineRules.run, run));
      else keepRun(run, { findings: standing });
    }
  }
  function takeBack(of: Named, found: FoundRow, reason: string): void {
    keepFound(of, { ...found, withdrawn: true });
    markRunsFree(of, found.runs);
    const { workspace, nowMs } = frame;
    const retraction = { findingId: of.id, workspace, rule: of.rule, reason, atMs: nowMs };
    append(effects.verdicts, { kind: 'retracted', retraction });
  }
  function lower(of: Named, found: FoundRow, reason: string, as: Pick<FoundRow, 'explained'> = {}): void {
    keepFound(of, { ...found, lowered: true, ...as });
    change('lowered', of, { reason });
  }
  /** What explained a finding did not hold: it stands as grave as it is. */
  function raise(of: Named, before: FoundRow, draft: FindingDraft): FoundRow {
    const { title, summary, response, severity } = completeFinding(draft, frame);
    if (severity === 'low') return before;
    const { lowered: _, explained: __, ...row } = before;
    change('grown', of, { title, summary, response, severity, raised: true });
    return { ...row, severity };
  }

  /**
   * What a draft adds to a standing finding; undefined where it adds nothing, or what the finding reported is unknown.
   */
  function newIn(row: FoundRow, draft: FindingDraft) {
    const { told, entities, severity: former } = row;
    if (told === undefined || entities === undefined || former === undefined) return undefined;
    const events = draft.evidence.filter(({ eventId }) => !told.includes(eventId)).slice(0, mostTold - told.length);
    const named = draft.entities.filter((entity) => !isNamedIn(row, entity));
    const severity = draft.severity ?? frame.rule.severity;
    const rises = !row.lowered && isGraver(severity, former);
    const fresh = named.slice(0, mostNamed - entities.length);
    if (events.length + fresh.length === 0 && !rises) return undefined;
    return { events: events.map(({ eventId }) => eventId), entities: fresh, ...(rises ? { severity } : {}) };
  }
  /** A standing finding is found again: its evidence may be proved now, or there is more evidence. */
  function grow(of: Named, row: FoundRow, draft: FindingDraft, doubted: readonly string[]): void {
    let next = row;
    if (row.unproven !== undefined && doubted.length === 0) {
      const { unproven: _, ...proven } = next;
      next = proven;
      change('proven', of);
    }
    if (row.explained) next = raise(of, next, draft);
    // Unproven evidence adds nothing to a proved finding.
    const isSure = doubted.every((event) => row.unproven?.includes(event));
    const more = isSure ? newIn(next, draft) : undefined;
    if (more !== undefined) {
      const whole = completeFinding(draft, frame);
      const fresh = more.entities;
      const runs = runsIn(more).filter((run) => !next.runs.includes(run));
      markRuns(of, runs);
      next = {
        ...next,
        runs: [...next.runs, ...runs],
        told: [...next.told!, ...more.events],
        entities: [...next.entities!, ...fresh.map(nameOf)],
        keys: [...next.entities!.map((_, place) => next.keys?.[place] ?? ''), ...fresh.map(({ key = '' }) => key)],
        severity: more.severity ?? next.severity!,
      };
      const { title, summary, response, confidence } = whole;
      change('grown', of, {
        evidence: whole.evidence.filter(({ eventId }) => more.events.includes(eventId)),
        entities: whole.entities.filter((entity) => fresh.some((one) => isSameEntity(one, entity))),
        ...(more.severity && { severity: more.severity }),
        ...{ title, summary, confidence, response: next.lowered ? [] : response },
      });
    }
    if (next !== row) keepFound(of, next);
    if (more !== undefined) superseding.pairByActs(frame.workspace, of, draft.occasion ?? '', actsOf(draft));
  }
  /** What is kept of a finding that is told of as it is. */
  const toldBy = ({ evidence, entities, severity }: Finding) => ({
    told: evidence.map(({ eventId }) => eventId).slice(0, mostTold),
    entities: entities.map(nameOf).slice(0, mostNamed),
    keys: entities.map(({ key = '' }) => key).slice(0, mostNamed),
    severity,
  });
  const runsIn = ({ entities }: Pick<Finding, 'entities'>) => [
    ...new Set(entities.flatMap(({ kind, id, key }) => (kind === 'run' ? [key ?? id] : []))),
  ];

  const context: RuleContext<unknown, unknown> = {
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
    get keys() {
      return frame.keys;
    },
    holds: (key) => placeOf(key) >= 0,
    get: (key) => state.get(declared(key), frame.nowMs),
    set: (key, value, keepMs) => state.set(declared(key), value, keepMs, frame.nowMs),
    delete: (key) => state.delete(declared(key)),
    setTimer(timer) {
      const id = nameOfRule('a timer id', timer.id);
      if (!Number.isFinite(timer.dueMs)) throw new Error(`timer ${id} is due at no time`);
      const keys = timer.keys.map((key) => nameOfRule('a key of a timer', key));
      const { workspace, rule } = frame;
      const set: SetTimer = { workspace, rule: rule.id, id, dueMs: Math.ceil(timer.dueMs), keys };
      parts.onTimer(set);
      timers.set(set);
    },
    clearTimer: (id) => timers.clear({ workspace: frame.workspace, rule: frame.rule.id, id: id.toWellFormed() }),
    find(given) {
      if (frame.learning) return;
      const draft = frame.severity === undefined ? given : { ...given, severity: frame.severity };
      const { workspace, nowMs } = frame;
      const { id, ...name } = identify(draft, frame);
      const row = known(id);
      const events = [
        draft.decidedBy?.eventId ?? frame.event?.id ?? '',
        ...draft.evidence.map(({ eventId }) => eventId),
      ];
      if (frame.unproven && frame.event !== null) events.push(frame.event.id);
      const doubted = unproven.among(workspace, events, nowMs);
      if (row !== undefined && !row.withdrawn) return grow(own(id), row, draft, doubted);
      const whole = completeFinding(draft, frame);
      const finding: Finding = doubted.length === 0 ? whole : { ...whole, unproven: true };
      const rests = doubted.length === 0 ? {} : { unproven: doubted };
      const wider = superseding.widerOf(frame.rule, { workspace, ...name });
      const under = superseding.narrowerOf(frame.rule, { workspace, ...name });
      // The original finding stands again, with its original evidence.
      const {
        unproven: _,
        withdrawn: __,
        lowered: ___,
        explained: ____,
        ...former
      }: FoundRow = row ?? { runs: runsIn(finding), ...toldBy(finding) };
      const standing: FoundRow = { ...former, ...rests, ...(wider && { wider }), ...(under && { under }) };
      keepFound(own(id), standing);
      unproven.rest(workspace, doubted, own(id), nowMs);
      markRuns(own(id), standing.runs);
      append(effects.verdicts, { kind: row === undefined ? 'found' : 'reinstated', finding });
      superseding.pairByActs(workspace, own(id), finding.occasion, actsOf(draft));
      if (row?.lowered) keepFound(own(id), raise(own(id), standing, draft));
      if (row !== undefined) grow(own(id), known(id)!, draft, doubted);
    },
    retract(finding) {
      const { id } = identify(finding, frame);
      const found = known(id);
      if (found === undefined || found.withdrawn) return;
      const { because } = finding;
      const reason = clean(finding.reason).slice(0, 2000);
      const isDoubted = frame.unproven || unproven.among(frame.workspace, because ?? [], frame.nowMs).length > 0;
      // Once an explanation was doubted, only one that says on what it rests can take the finding back.
      if (isDoubted || (found.lowered && because === undefined)) {
        if (!found.lowered) lower(own(id), found, reason, { explained: true });
        return;
      }
      takeBack(own(id), found, reason);
    },
    lookUp(question) {
      checkName("a look-up's id", question.id);
      if (state.get(engines(engineRules.lookUp, question.id), frame.nowMs) !== undefined) return;
      keepEngines(engineRules.lookUp, question.id, {}, leastRememberMs);
      append(effects.lookUps, { workspace: frame.workspace, lookup: clean(question) });
    },
    doubtOf: (eventId) => unproven.doubtOf(frame.workspace, eventId, frame.nowMs),
    tainted(run) {
      if (!frame.keys.includes(runKey(run))) {
        throw new Error(`${frame.rule.id} asks whether ${run} is tainted, and did not name runKey of it in keys`);
      }
      return getRun(run) !== undefined;
    },
  };

  return {
    context,
    superseding,
    isTainted: (run: string) => getRun(run) !== undefined,
    /** Keeps what a rule found while nothing else that it did holds; in `frame` still stands who found it. */
    findProvisionally(finding: Finding): void {
      const { workspace, nowMs, event } = frame;
      const of = own(finding.id);
      const runs = runsIn(finding);
      const wider = superseding.widerOf(frame.rule, finding);
      const under = superseding.narrowerOf(frame.rule, finding);
      const related = { ...(wider && { wider }), ...(under && { under }) };
      keepFound(of, { runs, ...toldBy(finding), unproven: [event!.id], ...related });
      unproven.rest(workspace, [event!.id], of, nowMs);
      markRuns(of, runs);
      append(effects.verdicts, { kind: 'found', finding: { ...finding, unproven: true } });
      superseding.pairByActs(workspace, of, finding.occasion, actsOf({}));
    },
    /**
     * What becomes of the findings that rested on an event of `frame`'s workspace. `judged-anew`: it is proved, and was
     * judged in full only now, so that what was not found again is taken back. `vouched`: it had been judged before, and is
     * proved. `refuted`: it is not the provider's.
     */
    settle(eventId: string, findings: readonly Named[], as: 'judged-anew' | 'vouched' | 'refuted'): void {
      for (const finding of findings) {
        const { id } = finding;
        const row = known(id);
        if (row === undefined || row.withdrawn || row.unproven?.includes(eventId) !== true) continue;
        if (as === 'judged-anew') takeBack(finding, row, judgedAnew);
        else if (as === 'refuted') {
          if (!row.lowered) lower(finding, row, refuted);
        } else {
          const { unproven: doubted, ...proven } = row;
          const others = doubted.filter((other) => other !== eventId);
          keepFound(finding, others.length > 0 ? { ...row, unproven: others } : proven);
          if (others.length === 0) change('proven', finding);
        }
      }
    },
  };
}

const judgedAnew = 'its delivery is proved, and by what is known now nothing is wrong';
const refuted =
  'the list of deliveries of the provider does not name the delivery that told it: somebody sent a former body again';
/** Most events and entities of a finding that are remembered; beyond, it grows no more. */
const [mostTold, mostNamed] = [40, 60];
const nameOf = ({ kind, id }: Entity) => `${kind} ${id}`.slice(0, 600);

/** Whether a finding names an entity already: by key where both have one, else by name. */
function isNamedIn({ entities = [], keys }: FoundRow, entity: Entity): boolean {
  const name = nameOf(entity);
  return entities.some((known, place) => {
    const key = keys?.[place] ?? '';
    if (key === '' || entity.key === undefined) return known === name;
    return key === entity.key && known.startsWith(`${entity.kind} `);
  });
}
