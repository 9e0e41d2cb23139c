import type { Config } from '@tripline/config/config';
import { drillPrefix } from '@tripline/contracts/drill';
import type { GuardVerdict } from '@tripline/contracts/job';
import { type Intent, intents, verbOf } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { runJobs } from '@tripline/db/run-jobs';
import { readFinding, type StoredFinding } from '@tripline/incidents/findings';
import { isRemediationStopped } from '@tripline/incidents/kill-switch';
import { openProviders, type Providers } from '@tripline/integrations/open-providers';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Resolved, Step } from '@tripline/integrations/provider';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter } from 'prom-client';
import { guard, protectedBy, sayProtected, touched } from './guard.ts';
import { type Performed, perform, StoppedError } from './perform.ts';
import { type Attempt, type ClaimFacts, claimRemediation, extendLease, passGate } from './store/claims.ts';
import { listRemediations, planRemediations, type Remediation } from './store/remediations.ts';
import { addRemediateJob, postponeRemediation, reviveRemediations, takeUpQueued } from './store/requeue.ts';
import { refuseClaimed, type StepHistory, settleRemediation } from './store/settle.ts';

export type RemediatorParts = {
  config: Config;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Told of every step that was settled, for a terminal. */
  onActed?: (acted: Acted) => void;
  fetch?: typeof globalThis.fetch;
};

/** A settled step. `rule` and `incident` are its finding's. */
export type Acted = Remediation & { rule: string; incident: string | null; undo: string; text: string };

export type Remediator = {
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for the steps at hand, then stops. */
  close: () => Promise<void>;
};

/** After an attempt that came to nothing, so long until the next; after the last of them a step has failed. */
const pausesMs = [1, 2, 4, 8, 16, 60, 120, 240, 480, 900].map((seconds) => seconds * 1000);
/** So many attempts, half a minute, a step that is to be tried again holds those after it. */
const holdingAttempts = 6;
/** A step that did not succeed within this has failed, however long GitHub asks to stay away. */
const deadlineMs = 60 * 60_000;
/** GitHub may ask for an hour; the playbook looks again sooner, as limits differ by kind of request. */
const longestPauseMs = 15 * 60_000;
const leaseMs = 12_000;
/** How often is looked whether a place is free for what waits. */
const queueEveryMs = 5000;
/** Playbooks under way at once: they mostly wait for GitHub, and a credential must not wait for another's. */
const concurrency = 16;

/**
 * guard → ask whether it is so → act → check that it is dead, a finding's steps in their order, each once. Starts with
 * creation.
 *
 * A step that is to be tried again holds those after it for half a minute: the order (cancel, isolate, revoke) keeps the
 * attacker's job from seeing its token die while it still can do damage. A step that is tried for longer, that waits for a
 * place under the cap, that failed for good or that the guard refused holds nothing: a credential left alive because a run
 * could not be cancelled would be the worse end.
 */
export async function createRemediator(parts: RemediatorParts): Promise<Remediator> {
  const { db, logger, metrics } = parts;
  const remediate = createRemediateTask(parts);
  const revive = async () => {
    const revived = await reviveRemediations(db, { afterMs: 2 * leaseMs });
    if (revived > 0) logger.warn({ revived }, 'resumed playbooks of dead workers');
  };
  await revive();
  const reviving = setInterval(() => {
    revive().catch((error) =>
      logger.error({ err: error }, 'looking for playbooks of dead workers failed; retrying at the next interval'),
    );
  }, leaseMs);
  let isLooking = false;
  const queueing = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    // Read each time: the cap may be set anew while it runs.
    takeUpQueued(db, { maxPerHour: parts.config.remediation.maxPerHour })
      .catch((error) => logger.error({ err: error }, 'looking for queued steps failed; retrying at the next interval'))
      .finally(() => {
        isLooking = false;
      });
  }, queueEveryMs);
  const jobs = await runJobs({ db, logger, concurrency, handlers: { remediate } });
  return {
    ready: async () => {
      await db.pool.query('SELECT 1');
    },
    close: async () => {
      clearInterval(reviving);
      clearInterval(queueing);
      await jobs.stop();
      metrics.removeSingleMetric('tripline_remediator_steps_total');
    },
  };
}

/** The task behind the job `remediate`. Any number of them may run for one finding at once. */
export function createRemediateTask(parts: RemediatorParts): (payload: { finding: string }) => Promise<void> {
  const { config, db, logger, clock, metrics, onActed } = parts;
  const opening = openProviders(config, {
    ...{ clock, fetch: parts.fetch },
    onLeftAlive: (reason) => logger.error({ reason }, 'revoking a token failed; it expires within an hour'),
  });
  /** Open before the first job does anything. */
  let providers!: Providers;
  const counter = new Counter({
    name: 'tripline_remediator_steps_total',
    help: 'Response steps settled, by action, mode, verdict, state and check',
    labelNames: ['action', 'mode', 'verdict', 'state', 'check'],
    registers: [metrics],
  });

  return async function remediate({ finding: id }) {
    providers = await opening;
    const finding = await readFinding(db, id);
    if (finding === undefined) throw new Error(`there is no finding ${id}: its job must have outlived it`);
    await planRemediations(db, finding, finding.response.map(plan));
    let againAfterMs = Number.POSITIVE_INFINITY;
    for (const remediation of await listRemediations(db, { finding: id })) {
      const went = await carry(finding, remediation);
      if (went === 'on') continue;
      againAfterMs = Math.min(againAfterMs, went.againAfterMs);
      if (went.holds) break;
    }
    // One job a finding: it comes when the first of its steps is due.
    if (Number.isFinite(againAfterMs)) await addRemediateJob(db.pool, id, againAfterMs);
  };

  function plan(step: Intent, ordinal: number) {
    const mode = config.remediation.mode === 'automatic' ? ('live' as const) : ('dry-run' as const);
    const resolved = providers.resolve(step);
    if ('byHand' in resolved) return { ordinal, code: intents[step.action].code, step, mode, request: null };
    const { code, request } = resolved;
    return { ordinal, code, step, mode, request };
  }

  /** Carries one step as far as it goes now. */
  async function carry(finding: StoredFinding, remediation: Remediation): Promise<Went> {
    const claim = await claimRemediation(db, remediation, {
      leaseMs,
      maxPerHour: config.remediation.maxPerHour,
      history: historyOf(finding, providers),
      decide: (facts) => decide(finding, remediation, facts),
    });
    switch (claim.kind) {
      case 'settled':
        return 'on';
      case 'busy':
        // Should the other worker die, this job takes over when its lease is over.
        return { againAfterMs: claim.forMs, holds: true };
      case 'later':
        return { againAfterMs: claim.afterMs, holds: claim.attempts < holdingAttempts };
      case 'queued':
        report(finding, claim.queued);
        return 'on';
      case 'refused':
        report(finding, claim.refused);
        return 'on';
      case 'act':
        return act(finding, remediation, claim.attempt);
    }
  }

  function decide(
    finding: StoredFinding,
    { step, mode }: Remediation,
    { retracted, superseded, doubt, resolved, stopped, load }: ClaimFacts,
  ): { verdict: GuardVerdict; said: string } {
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

  /** Carries a claimed step out and records what came of it. */
  async function act(finding: StoredFinding, remediation: Remediation, attempt: Attempt): Promise<Went> {
    const step = providers.resolve(remediation.step);
    // The guard lets nothing through that no integration can do.
    if ('byHand' in step) throw new Error(`${remediation.step.action} is to be done by hand`);
    const place = { finding: remediation.finding, ordinal: remediation.ordinal };
    const history = historyOf(finding, providers);
    const log = logger.child({ ...place, action: remediation.step.action });
    const beat = setInterval(() => {
      extendLease(db, place, leaseMs).catch((error) =>
        log.warn({ err: error }, 'extending the lease of a step failed'),
      );
    }, leaseMs / 3);
    const spared = config.remediation.protected;
    let performed: Performed;
    try {
      performed = await perform(step, {
        title: providers.titleOf(remediation.step.provider),
        clock,
        sentBefore: attempt.sentBefore,
        stopped: () => isRemediationStopped(db),
        gate: () => passGate(db, place, attempt),
        people: touched(finding).people,
        owner: step.ownerIn(finding.workspace),
        spares: (targets) => {
          const entry = protectedBy(spared, targets);
          return entry && sayProtected(entry);
        },
        needsIds: spared.users.some(({ id }) => id !== undefined),
      });
    } catch (error) {
      if (error instanceof StoppedError) {
        const { gate, message: said } = error;
        if (gate !== 'taken') report(finding, await refuseClaimed(db, place, { verdict: gate, said }, history));
        return 'on';
      }
      log.error({ err: error }, 'a step failed by an internal error');
      const outcome = { kind: 'retry', reason: 'internal', message: 'Tripline failed; its log says why' } as const;
      performed = { kind: 'acted', outcome, check: null };
    } finally {
      clearInterval(beat);
    }
    if (performed.kind === 'refused') {
      report(finding, await refuseClaimed(db, place, performed, history));
      return 'on';
    }
    const { outcome } = performed;
    const pauseMs = pausesMs[attempt.nth - 1];
    if (outcome.kind === 'retry' && pauseMs !== undefined) {
      const afterMs = Math.min(outcome.afterMs ?? pauseMs, longestPauseMs);
      if (attempt.begunForMs + afterMs < deadlineMs) {
        const postponed = { reason: outcome.reason, said: saidBy(outcome), afterMs };
        await postponeRemediation(db, place, attempt.nth === 1 ? { ...postponed, history } : postponed);
        log.info({ reason: outcome.reason, afterMs }, 'a step failed; retrying');
        return { againAfterMs: afterMs, holds: attempt.nth < holdingAttempts };
      }
    }
    const settled = {
      state: outcome.kind === 'done' ? 'done' : 'failed',
      reason: outcome.reason ?? 'accepted',
      said: saidBy(outcome),
      check: (performed.kind === 'acted' ? performed.check : null) ?? {
        result: 'unknown',
        said: `${providers.titleOf(remediation.step.provider)} was not asked: it gave no token or no answer`,
      },
    } as const;
    report(finding, await settleRemediation(db, place, settled, history));
    return 'on';
  }

  /** A settled step in the metrics and on the terminal. Undefined: another worker settled it, and said so. */
  function report(finding: StoredFinding, settled: Remediation | undefined): void {
    if (settled === undefined) return;
    const { step, mode, verdict, state, check } = settled;
    counter.inc({ action: step.action, mode, verdict: verdict ?? '', state, check: check?.result ?? 'none' });
    const { rule, incident } = finding;
    onActed?.({
      ...settled,
      rule,
      incident,
      undo: undoOf(providers.resolve(step)),
      text: sentence(settled, providers),
    });
  }
}

/** How far a step went: `on` to the next one, or to be resumed after a while. */
type Went = 'on' | { againAfterMs: number; holds: boolean };

const noTargets: Step['targets'] = { people: [], runners: [], repositories: [] };
/** Whose the target is of what a person is to do: nobody asks. */
const nobody = { name: '', isOurs: false, mend: '' };

function undoOf(resolved: Resolved): string {
  return 'byHand' in resolved ? 'nothing was done that could be undone' : resolved.undo;
}

/** What the incident's history says of a step. */
function historyOf({ id, incident }: StoredFinding, providers: Providers): StepHistory {
  return {
    incident,
    line(settled) {
      const { ordinal, step, code, mode, verdict, state, reason, said, check, request } = settled;
      const what = { finding: id, ordinal, action: step.action, code, mode, verdict, state, reason, said, check };
      return { ...what, request, undo: undoOf(providers.resolve(step)), text: sentence(settled, providers) };
    },
  };
}

function saidBy(outcome: Outcome): string {
  return (outcome.message ?? '').slice(0, 1000);
}

/** What became of a step, for people. A thing that survived is said first and loudly. */
function sentence({ step, state, verdict, said, check, request, dueAt }: Remediation, providers: Providers): string {
  const provider = providers.titleOf(step.provider);
  const verb = verbOf(step);
  const call = request === null ? 'by hand' : `${request.method} ${request.path}`;
  const then = dueAt === null ? '' : ` at ${dueAt.slice(0, 19)}Z`;
  switch (state) {
    case 'planned':
      return `To be decided: ${verb}`;
    case 'queued':
      return `Waits for a place to ${verb}, free${then || ' soon'} at the earliest: ${said}`;
    case 'acting':
      return `Not done yet: ${verb}; ${said}; tried again${then}`;
    case 'refused':
      if (verdict === 'dry-run') return `Dry run: would ask ${provider}, then ${verb} (${call})`;
      if (verdict === 'by-hand') return `By hand: ${verb}. ${said}`;
      return check?.result === 'alive'
        ? `STILL ALIVE, not touched: could not ${verb}; ${said}`
        : `Did not ${verb}: ${said}`;
    case 'failed':
      return `FAILED to ${verb}: ${said}`;
    case 'done':
      if (check?.result === 'alive') return `STILL ALIVE after the attempt to ${verb}: ${check.said}`;
      if (check?.result === 'dead') return `Done: ${verb}; ${check.said}`;
      return `Done, NOT CONFIRMED: ${verb}; ${check?.said ?? `${provider} was not asked`}`;
  }
}
