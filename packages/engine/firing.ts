import type { Batch } from './batch.ts';
import { ruleOfSubjectRows } from './conclude.ts';
import type { Doubting } from './doubting.ts';
import type { Judging } from './judging.ts';
import { joinKey } from './keyed-state/keys.ts';
import type { Scopes } from './scopes.ts';
import type { ConfiguredRule } from './settings.ts';
import type { SetTimer, Timers } from './timers.ts';
import { unprovenRule } from './unproven.ts';

/** Most firings of a timer at one log time: a timer may set itself again in the past, but not endlessly. */
const maxFiringsAtOnce = 1000;

/**
 * Whether a timer's rule is in force. A timer of a removed rule waits until the rule is back, as after a rule file that
 * was wrong for a minute.
 */
export function isActedOn({ rule }: SetTimer, ruleById: ReadonlyMap<string, ConfiguredRule>): boolean {
  const concludes = ruleOfSubjectRows(rule);
  const configured = ruleById.get(concludes ?? rule)?.rule;
  return rule === unprovenRule || (concludes === undefined ? configured?.due : configured?.concludes) !== undefined;
}

/** Runs timers when they are due. */
export function createFiring(parts: {
  ruleById: ReadonlyMap<string, ConfiguredRule>;
  timers: Timers;
  scopes: Scopes;
  judging: Judging;
  doubting: Doubting;
  batch: Batch;
}) {
  const { ruleById, timers, scopes, judging, doubting, batch } = parts;
  /** How often each timer fired at one time of the log. */
  const firings = { atMs: 0, byTimer: new Map<string, number>() };

  function fire(timer: SetTimer): void {
    const { workspace, keys } = timer;
    if (timer.rule === unprovenRule) {
      batch.logTimeMs = Math.max(batch.logTimeMs, timer.dueMs);
      doubting.giveUp(workspace, timer.id, batch.logTimeMs);
      return;
    }
    const concludes = ruleOfSubjectRows(timer.rule);
    const configured = ruleById.get(concludes ?? timer.rule);
    batch.logTimeMs = Math.max(batch.logTimeMs, timer.dueMs);
    batch.counts.timersFired += 1;
    const at = { workspace, nowMs: batch.logTimeMs, event: null, unproven: false };
    const known = scopes.knownOf(workspace, at.nowMs);
    if (concludes !== undefined) {
      judging.conclude(configured!, timer.id, at, known, { record: null, timer });
      return;
    }
    const slots = scopes.slotsOf(timer.rule, workspace, keys);
    const fault = faultOfCount(timer) ?? judging.judge(configured!, { ...at, keys, slots }, known, timer);
    if (fault !== null) batch.poison.push({ rule: timer.rule, reason: fault, record: null, timer });
  }

  /** Why a timer may not fire once more; null when it may. */
  function faultOfCount(timer: SetTimer): string | null {
    if (firings.atMs !== batch.logTimeMs) {
      firings.atMs = batch.logTimeMs;
      firings.byTimer.clear();
    }
    const name = joinKey(timer.workspace, timer.rule, timer.id);
    const count = (firings.byTimer.get(name) ?? 0) + 1;
    firings.byTimer.set(name, count);
    return count > maxFiringsAtOnce ? `timer ${timer.id} sets itself anew without end` : null;
  }

  return {
    fireUntil(dueByMs: number): void {
      let firedMs: number | undefined;
      for (;;) {
        const timer = timers.next(dueByMs);
        // Those of one moment say together what they say.
        if (firedMs !== undefined && timer?.dueMs !== firedMs) judging.settleSuperseding();
        if (timer === undefined) return;
        firedMs = timer.dueMs;
        timers.clear(timer);
        fire(timer);
      }
    },
    forget: (): void => firings.byTimer.clear(),
  };
}
