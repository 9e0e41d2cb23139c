import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyRule, RuleContext } from '@tripline/rules/contract';
import { runKey } from '@tripline/rules/contract';
import { clean, completeFinding, identify } from './draft.ts';
import type { Effects } from './effects.ts';
import type { Journal } from './journal.ts';
import { checkName, joinKey } from './keys.ts';
import { isHeld, type KeyedState, type Slot } from './state.ts';
import type { SetTimer, Timers } from './timers.ts';

/** How long a finding, its mark on a run, and a question are remembered. */
const rememberMs = 72 * 3_600_000;

/** Rules under which the engine keeps its own rows. */
export const engineRules = { workspace: '@workspace', finding: '@finding', run: '@run', lookUp: '@look-up' } as const;

type FoundRow = { runs: string[]; withdrawn?: true };
type RunRow = { findings: string[] };

/** Who is judging what at this moment. One is used again and again: a context must not outlive its call. */
export type Frame = {
  rule: AnyRule;
  workspace: string;
  nowMs: number;
  settings: unknown;
  learning: boolean;
  /** Keys of state that were declared. */
  keys: readonly string[];
  /** What stands under each of them. */
  slots: readonly Slot[];
  /** Null in `due`. */
  event: LoggedEvent | null;
};

/** The state that the batch should have held and does not; the batch is evaluated again with it. */
export class StateNotHeld extends Error {}

/** The one context of an engine; it answers for whatever `frame` says. */
export function createContext(parts: {
  frame: Frame;
  state: KeyedState;
  timers: Timers;
  journal: Journal;
  effects: Pick<Effects, 'verdicts' | 'lookUps'>;
  /** Told of every timer that is set, before it is. */
  onTimer: (timer: SetTimer) => void;
}): RuleContext<unknown, unknown> {
  const { frame, state, timers, journal, effects } = parts;

  function declared(key: string): Slot {
    const place = frame.keys.indexOf(key);
    if (place < 0 || key.startsWith('@')) {
      throw new Error(`${frame.rule.id} touches state under ${JSON.stringify(key)}, which it did not name in keys`);
    }
    const slot = frame.slots[place]!;
    if (!isHeld(slot)) throw new StateNotHeld();
    return slot;
  }
  function append<T>(list: T[], item: T): void {
    list.push(item);
    journal.note(() => list.pop());
  }
  const engines = (rule: string, key: string) => state.slot(joinKey(frame.workspace, rule, key));
  const keepEngines = (rule: string, key: string, value: unknown) =>
    state.set(engines(rule, key), value, rememberMs, frame.nowMs);
  const getRun = (run: string) => state.get(engines(engineRules.run, run), frame.nowMs) as RunRow | undefined;

  return {
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
    holds: (key) => frame.keys.includes(key),
    get: (key) => state.get(declared(key), frame.nowMs),
    set: (key, value, keepMs) => state.set(declared(key), value, keepMs, frame.nowMs),
    delete: (key) => state.delete(declared(key)),
    setTimer(timer) {
      checkName('a timer id', timer.id);
      if (!Number.isFinite(timer.dueMs)) throw new Error(`timer ${timer.id} is due at no time`);
      for (const key of timer.keys) checkName('a key of a timer', key);
      const { workspace, rule } = frame;
      const { id, dueMs, keys } = timer;
      const set: SetTimer = { workspace, rule: rule.id, id, dueMs: Math.ceil(dueMs), keys: [...keys] };
      parts.onTimer(set);
      timers.set(set);
    },
    clearTimer: (id) => timers.clear({ workspace: frame.workspace, rule: frame.rule.id, id }),
    find(draft) {
      if (frame.learning) return;
      const { id } = identify(draft, frame);
      const known = state.get(engines(engineRules.finding, id), frame.nowMs) as FoundRow | undefined;
      if (known !== undefined && !known.withdrawn) return;
      const finding = completeFinding(draft, frame);
      const named = finding.entities.filter(({ kind }) => kind === 'run').map((entity) => entity.id);
      // What was found first stands again, so its runs are marked again.
      const runs = known?.runs ?? [...new Set(named)];
      keepEngines(engineRules.finding, id, { runs } satisfies FoundRow);
      for (const run of runs) keepEngines(engineRules.run, run, { findings: [...(getRun(run)?.findings ?? []), id] });
      append(effects.verdicts, { kind: known === undefined ? 'found' : 'reinstated', finding });
    },
    withdraw(finding) {
      const { id } = identify(finding, frame);
      const found = state.get(engines(engineRules.finding, id), frame.nowMs) as FoundRow | undefined;
      if (found === undefined || found.withdrawn) return;
      keepEngines(engineRules.finding, id, { ...found, withdrawn: true } satisfies FoundRow);
      for (const run of found.runs) {
        const standing = (getRun(run)?.findings ?? []).filter((other) => other !== id);
        if (standing.length === 0) state.delete(engines(engineRules.run, run));
        else keepEngines(engineRules.run, run, { findings: standing } satisfies RunRow);
      }
      const { workspace, nowMs } = frame;
      const reason = clean(finding.reason).slice(0, 2000);
      const withdrawal = { findingId: id, workspace, rule: frame.rule.id, reason, atMs: nowMs };
      append(effects.verdicts, { kind: 'withdrawn', withdrawal });
    },
    lookUp(question) {
      checkName("a look-up's id", question.id);
      if (state.get(engines(engineRules.lookUp, question.id), frame.nowMs) !== undefined) return;
      keepEngines(engineRules.lookUp, question.id, {});
      append(effects.lookUps, { workspace: frame.workspace, lookup: clean(question) });
    },
    tainted(run) {
      if (!frame.keys.includes(runKey(run))) {
        throw new Error(`${frame.rule.id} asks whether ${run} is tainted, and did not name runKey of it in keys`);
      }
      return getRun(run) !== undefined;
    },
  };
}
