import type { Config } from '@tripline/config/config';
import { drillPrefix } from '@tripline/contracts/drill';
import type { GuardVerdict } from '@tripline/contracts/job';
import { type Intent, intents } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { addToQueue } from '@tripline/db/queue';
import { readFinding, type StoredFinding } from '@tripline/incidents/findings';
import { isRemediationStopped } from '@tripline/incidents/kill-switch';
import type { Providers } from '@tripline/integrations/open-providers';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Step } from '@tripline/integrations/provider';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Counter } from 'prom-client';
import { describeProtected, guard, protectedBy, touched } from './guard.ts';
import { type Performed, perform, StoppedError } from './perform.ts';
import { type Attempt, type ClaimFacts, claimRemediation, extendLease, passGate } from './store/claims.ts';
import {
  listRemediations,
  type Place,
  type PlannedStep,
  planRemediations,
  type Remediation,
} from './store/remediations.ts';
import { postponeRemediation } from './store/requeue.ts';
import { refuseClaimed, type Settled, type StepHistory, settleRemediation } from './store/settle.ts';
import { saidBy, sentenceOf, undoOf } from './wording.ts';

/** What the steps of remediating share. */
export type Remediating = {
  config: Pick<Config, 'remediation'>;
  db: Db;
  logger: Logger;
  clock: Clock;
  providers: Providers;
  counter: Counter<'action' | 'mode' | 'verdict' | 'state' | 'check'>;
  /** Called with every settled step; for a terminal. */
  onActed?: ((acted: Acted) => void) | undefined;
};

/** A settled step. `rule` and `incident` are its finding's. */
export type Acted = Remediation & { rule: string; incident: string | null; undo: string; text: string };

/** Pauses after failed attempts; after the last of them the step has failed. */
const pausesMs = [1, 2, 4, 8, 16, 60, 120, 240, 480, 900].map((seconds) => seconds * 1000);
/** For so many attempts, half a minute, a step that is retried holds those after it. */
const holdingAttempts = 6;
/** A step that did not succeed within this time has failed, however long GitHub asks to wait. */
const deadlineMs = 60 * 60_000;
/** GitHub may ask to wait an hour; the playbook retries sooner, since limits differ by kind of request. */
const longestPauseMs = 15 * 60_000;
/** Lease on a step, ms; renewed while it is under way. */
const leaseMs = 12_000;

/** How far a step went: `on` to the next one, or to be resumed after a while. */
type Progress = 'on' | { againAfterMs: number; holds: boolean };

/**
 * Plans a finding's playbook and carries its steps as far as they go now, in their order. Any number of workers may run it
 * for one finding at once.
 *
 * A step that is to be tried again holds those after it for half a minute: the order (cancel, isolate, revoke) keeps
 * the attacker's job from noticing that its token was revoked while it can still do damage. A step that is tried for
 * longer, that waits for a place under the cap, that failed for good or that the guard refused holds nothing: a
 * credential left alive because a run could not be cancelled would be worse.
 */
export async function runPlaybook(remediating: Remediating, id: string): Promise<void> {
  const { db } = remediating;
  const finding = await readFinding(db, id);
  if (finding === undefined)
    throw new Error(`there is no finding ${id}: it must have been queued for another database`);
  await planRemediations(
    db,
    finding,
    finding.response.map((intent, ordinal) => plan(remediating, intent, ordinal)),
  );
  let againAfterMs = Number.POSITIVE_INFINITY;
  for (const remediation of await listRemediations(db, { finding: id })) {
    const progress = await carryOut(remediating, finding, remediation);
    if (progress === 'on') continue;
    againAfterMs = Math.min(againAfterMs, progress.againAfterMs);
    if (progress.holds) break;
  }
  // Due again when the first of its steps is.
  if (Number.isFinite(againAfterMs)) await addToQueue(db.pool, 'remediate', id, againAfterMs);
}

/** An intent as its provider would carry it out under the present settings. */
function plan({ config, providers }: Remediating, intent: Intent, ordinal: number): PlannedStep {
  const mode = config.remediation.mode === 'automatic' ? 'live' : 'dry-run';
  const resolved = providers.resolve(intent);
  if ('byHand' in resolved) return { ordinal, code: intents[intent.action].code, step: intent, mode, request: null };
  const { code, request } = resolved;
  return { ordinal, code, step: intent, mode, request };
}

/** Claims one step, has the guard decide on it, and carries it out as far as is possible now. */
async function carryOut(remediating: Remediating, finding: StoredFinding, remediation: Remediation): Promise<Progress> {
  const { config, db } = remediating;
  const claim = await claimRemediation(db, remediation, {
    leaseMs,
    maxPerHour: config.remediation.maxPerHour,
    history: historyOf(remediating, finding),
    decide: (facts) => decide(remediating, finding, remediation, facts),
  });
  switch (claim.kind) {
    case 'settled':
      return 'on';
    case 'busy':
      // If the other worker dies, this one takes over when its lease expires.
      return { againAfterMs: claim.forMs, holds: true };
    case 'later':
      return { againAfterMs: claim.afterMs, holds: claim.attempts < holdingAttempts };
    case 'queued':
      report(remediating, finding, claim.queued);
      return 'on';
    case 'refused':
      report(remediating, finding, claim.refused);
      return 'on';
    case 'act':
      return attemptStep(remediating, finding, remediation, claim.attempt);
  }
}

/** What the guard says of a step, by the settings, its finding and what the claim read. */
function decide(
  { config, providers }: Remediating,
  finding: StoredFinding,
  { step, mode }: Remediation,
  { retracted, superseded, doubt, resolved, stopped, load }: ClaimFacts,
): { verdict: GuardVerdict; detail: string } {
  const { rule, severity, confidence, entities, workspace } = finding;
  const how = providers.resolve(step);
  return guard({
    settings: config.remediation,
    mode,
    drill: workspace.startsWith(drillPrefix),
    ...('byHand' in how
      ? { byHand: how.byHand, notReady: null, owner: nobody, targets: noTargets }
      : { byHand: null, notReady: how.notReady, owner: how.ownerIn(workspace), targets: how.targets }),
    finding: {
      ...{ rule, severity, confidence, entities, retracted, superseded, doubt, resolved },
      silenced: finding.silencedBy !== null,
    },
    action: step.action,
    ...{ stopped, load },
  });
}

const noTargets: Step['targets'] = { people: [], runners: [], repositories: [] };
/** Whose the target is of what a person is to do: nobody asks. */
const nobody = { name: '', isOurs: false, remedy: '' };

/** A claimed step, and what is needed to carry it out. */
type InHand = Remediating & {
  finding: StoredFinding;
  step: Intent;
  place: Place;
  attempt: Attempt;
  history: StepHistory;
  log: Logger;
};

/** Attempts a claimed step under its lease, and records what came of it. */
async function attemptStep(
  remediating: Remediating,
  finding: StoredFinding,
  { finding: id, ordinal, step }: Remediation,
  attempt: Attempt,
): Promise<Progress> {
  const place = { finding: id, ordinal };
  const log = remediating.logger.child({ ...place, action: step.action });
  const inHand: InHand = {
    ...remediating,
    finding,
    step,
    place,
    attempt,
    history: historyOf(remediating, finding),
    log,
  };
  const performed = await underLease(inHand, () => performStep(inHand));
  if (performed.kind === 'stopped') return 'on';
  if (performed.kind === 'refused') return refuse(inHand, performed);
  const afterMs = pauseBeforeNext(performed.outcome, attempt);
  return afterMs === undefined ? settle(inHand, performed) : postpone(inHand, performed.outcome, afterMs);
}

/** Renews the lease of a claimed step for as long as `work` takes. */
async function underLease<Result>({ db, place, log }: InHand, work: () => Promise<Result>): Promise<Result> {
  const beat = setInterval(() => {
    extendLease(db, place, leaseMs).catch((error) => log.warn({ err: error }, 'extending the lease of a step failed'));
  }, leaseMs / 3);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

/** Asks, acts and checks at the provider. `stopped`: the gate closed before the request was sent, which is recorded. */
async function performStep(inHand: InHand): Promise<Performed | { kind: 'stopped' }> {
  const { config, db, clock, providers, finding, step, place, attempt, log } = inHand;
  const how = providers.resolve(step);
  // The guard refuses what no integration can do.
  if ('byHand' in how) throw new Error(`${step.action} is to be done by hand`);
  const protectedOnes = config.remediation.protected;
  try {
    return await perform(how, {
      title: providers.titleOf(step.provider),
      workspace: finding.workspace,
      clock,
      sentBefore: attempt.sentBefore,
      stopped: () => isRemediationStopped(db),
      gate: () => passGate(db, place, attempt),
      people: touched(finding).people,
      owner: how.ownerIn(finding.workspace),
      spares: (targets) => {
        const entry = protectedBy(protectedOnes, targets);
        return entry && describeProtected(entry);
      },
      needsIds: protectedOnes.users.some(({ id }) => id !== undefined),
    });
  } catch (error) {
    if (error instanceof StoppedError) {
      const { gate, message: detail } = error;
      if (gate !== 'taken') await refuse(inHand, { verdict: gate, detail });
      return { kind: 'stopped' };
    }
    log.error({ err: error }, 'a step failed by an internal error');
    const outcome = { kind: 'retry', reason: 'internal', message: 'Tripline failed; its log says why' } as const;
    return { kind: 'acted', outcome, check: null };
  }
}

/** Records that a claimed step is not carried out, and why. */
async function refuse(inHand: InHand, refused: Parameters<typeof refuseClaimed>[2]): Promise<Progress> {
  const { db, place, history, finding } = inHand;
  report(inHand, finding, await refuseClaimed(db, place, refused, history));
  return 'on';
}

/** How long until the next attempt, ms; undefined where this one was the last. */
function pauseBeforeNext(outcome: Outcome, { nth, begunForMs }: Attempt): number | undefined {
  const pauseMs = pausesMs[nth - 1];
  if (outcome.kind !== 'retry' || pauseMs === undefined) return undefined;
  const afterMs = Math.min(Math.max(outcome.afterMs ?? 0, pauseMs), longestPauseMs);
  return begunForMs + afterMs < deadlineMs ? afterMs : undefined;
}

/** Postpones a step by `afterMs`. People are notified of the first postponement. */
async function postpone(inHand: InHand, outcome: Outcome, afterMs: number): Promise<Progress> {
  const { db, place, history, log, attempt } = inHand;
  const reason = outcome.reason ?? 'accepted';
  const postponed = { reason, detail: saidBy(outcome), afterMs };
  await postponeRemediation(db, place, attempt.nth === 1 ? { ...postponed, history } : postponed);
  log.info({ reason, afterMs }, 'a step failed; retrying');
  return { againAfterMs: afterMs, holds: attempt.nth < holdingAttempts };
}

/** Records how a step ended whose last attempt is made. */
async function settle(inHand: InHand, performed: Exclude<Performed, { kind: 'refused' }>): Promise<Progress> {
  const { db, providers, finding, step, place, history } = inHand;
  const { outcome } = performed;
  const settled: Settled = {
    state: outcome.kind === 'done' ? 'done' : 'failed',
    reason: outcome.reason ?? 'accepted',
    detail: saidBy(outcome),
    check: (performed.kind === 'acted' ? performed.check : null) ?? {
      result: 'unknown',
      detail: `${providers.titleOf(step.provider)} was not asked: it gave no token or no answer`,
    },
  };
  report(inHand, finding, await settleRemediation(db, place, settled, history));
  return 'on';
}

/** A settled step in the metrics and on the terminal. Undefined: another worker settled and reported it. */
function report(
  { counter, onActed, providers }: Remediating,
  { rule, incident }: StoredFinding,
  settled: Remediation | undefined,
): void {
  if (settled === undefined) return;
  const { step, mode, verdict, state, check } = settled;
  counter.inc({ action: step.action, mode, verdict: verdict ?? '', state, check: check?.result ?? 'none' });
  const acted: Acted = {
    ...settled,
    ...{ rule, incident },
    undo: undoOf(providers.resolve(step)),
    text: sentenceOf(settled, providers),
  };
  onActed?.(acted);
}

/** What the incident's history says of a step. */
function historyOf({ providers }: Remediating, { id, incident }: StoredFinding): StepHistory {
  return {
    incident,
    line(settled) {
      const { ordinal, step, code, mode, verdict, state, reason, detail, check, request } = settled;
      const what = { finding: id, ordinal, action: step.action, code, mode, verdict, state, reason, detail, check };
      return { ...what, request, undo: undoOf(providers.resolve(step)), text: sentenceOf(settled, providers) };
    },
  };
}
