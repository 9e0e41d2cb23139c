import type { GuardVerdict } from '@tripline/contracts/job';
import { responseActions } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { readFinding, type StoredFinding } from '@tripline/db/findings';
import {
  addRemediateJob,
  claimRemediation,
  extendLease,
  listRemediations,
  planRemediations,
  postponeRemediation,
  type Remediation,
  refuseClaimed,
  reviveRemediations,
  type StoryOfSteps,
  settleRemediation,
} from '@tripline/db/remediations';
import { runJobs } from '@tripline/db/run-jobs';
import { isRemediationStopped } from '@tripline/db/switches';
import { actionOf } from '@tripline/integrations/github/actions/registry';
import { describeRequest } from '@tripline/integrations/github/client';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import type { Config } from '@tripline/runtime/config';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { createWorkspaces, drillPrefix } from '@tripline/sources/workspace';
import { Counter } from 'prom-client';
import { guard } from './guard.ts';
import { type Performed, perform, Stopped } from './perform.ts';

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

/** After so many attempts a step has failed, and no longer holds the steps after it. */
const maxAttempts = 6;
const pausesMs = [1000, 2000, 4000, 8000, 16_000];
/** GitHub may ask for an hour; the playbook looks again sooner, as limits differ by kind of request. */
const longestPauseMs = 15 * 60_000;
const leaseMs = 12_000;
/** Playbooks under way at once: they mostly wait for GitHub, and a credential must not wait for another's. */
const concurrency = 16;

/**
 * guard → act → check that it is dead, a finding's steps in their order, each once. Starts with creation.
 *
 * A step that is to be tried again holds those after it: the order (cancel, isolate, revoke) keeps the attacker's job
 * from seeing its token die while it still can do damage. A step that failed for good, or that the guard refused, holds
 * nothing: a credential left alive because a run could not be cancelled would be the worse end.
 */
export async function createRemediator(parts: RemediatorParts): Promise<Remediator> {
  const { db, logger, metrics } = parts;
  const remediate = createRemediateTask(parts);
  const revive = async () => {
    const revived = await reviveRemediations(db, { afterMs: 2 * leaseMs });
    if (revived > 0) logger.warn({ revived }, 'took up playbooks whose worker had died');
  };
  await revive();
  const reviving = setInterval(() => {
    revive().catch((error) => logger.error({ err: error }, 'looking for abandoned playbooks failed'));
  }, leaseMs);
  const jobs = await runJobs({ db, logger, concurrency, handlers: { remediate } });
  return {
    ready: async () => {
      await db.pool.query('SELECT 1');
    },
    close: async () => {
      clearInterval(reviving);
      await jobs.stop();
      metrics.removeSingleMetric('tripline_remediations_total');
    },
  };
}

/** The task behind the job `remediate`. Any number of them may run for one finding at once. */
export function createRemediateTask(parts: RemediatorParts): (payload: { finding: string }) => Promise<void> {
  const { config, db, logger, clock, metrics, onActed } = parts;
  const workspaces = createWorkspaces(config);
  const app = config.github.app && {
    ...config.github.app,
    apiUrl: config.github.apiUrl,
    fetch: parts.fetch,
  };
  const counter = new Counter({
    name: 'tripline_remediations_total',
    help: 'Steps of playbooks that were settled',
    labelNames: ['action', 'mode', 'verdict', 'state', 'check'],
    registers: [metrics],
  });

  return async function remediate({ finding: id }) {
    failpoint('remediator.before-read');
    const finding = await readFinding(db, id);
    failpoint('remediator.after-read');
    if (finding === undefined) throw new Error(`there is no finding ${id}: its job must have outlived it`);
    await planRemediations(db, finding, finding.response.map(plan));
    failpoint('remediator.after-plan');
    for (const remediation of await listRemediations(db, { finding: id })) {
      if (await isForLater(finding, remediation)) return;
    }
  };

  function plan(step: Remediation['step'], ordinal: number) {
    const { code, request } = actionOf(step);
    const mode = config.remediation.mode === 'automatic' ? ('live' as const) : ('dry-run' as const);
    return { ordinal, code, step, mode, request: describeRequest(request(step)) };
  }

  /** Carries one step as far as it goes now. True when it, and so those after it, must wait for a later job. */
  async function isForLater(finding: StoredFinding, remediation: Remediation): Promise<boolean> {
    failpoint('remediator.before-claim');
    const claim = await claimRemediation(db, remediation, {
      leaseMs,
      story: storyOf(finding),
      decide: (facts) => decide(finding, remediation, facts),
    });
    failpoint('remediator.after-claim');
    if (claim.kind === 'settled') return false;
    if (claim.kind === 'busy') {
      // Should the other worker die, this job takes over when its lease is over.
      await addRemediateJob(db.pool, finding.id, claim.forMs);
      return true;
    }
    if (claim.kind === 'refused') {
      report(finding, claim.refused);
      return false;
    }
    return (await act(finding, remediation)) === 'postponed';
  }

  function decide(
    finding: StoredFinding,
    { step, mode }: Remediation,
    facts: { withdrawn: boolean; stopped: boolean; begunLastHour: number },
  ): { verdict: GuardVerdict; said: string } {
    const { rule, severity, confidence, entities, workspace } = finding;
    const { owner } = actionOf(step).scope(step);
    return guard({
      settings: config.remediation,
      mode,
      drill: workspace.startsWith(drillPrefix),
      configured: app !== undefined,
      targetIsOurs: workspaces.of(owner) === workspace,
      finding: {
        ...{ rule, severity, confidence, entities },
        silenced: finding.silencedBy !== null,
        withdrawn: facts.withdrawn,
      },
      step,
      stopped: facts.stopped,
      begunLastHour: facts.begunLastHour,
    });
  }

  /** Begins a claimed step and records what came of it. */
  async function act(finding: StoredFinding, remediation: Remediation): Promise<'settled' | 'postponed'> {
    const place = { finding: remediation.finding, ordinal: remediation.ordinal };
    const log = logger.child({ ...place, action: remediation.step.action });
    const beat = setInterval(() => {
      extendLease(db, place, leaseMs).catch((error) => log.warn({ err: error }, 'the lease could not be extended'));
    }, leaseMs / 3);
    let performed: Performed;
    try {
      performed = await perform(remediation.step, {
        app: app!,
        clock,
        begunBefore: remediation.attempts > 0,
        stopped: () => isRemediationStopped(db),
        onLeftAlive: (reason) =>
          log.error({ reason }, 'a token of ours could not be revoked; it lives for up to an hour'),
      });
    } catch (error) {
      if (error instanceof Stopped) {
        report(finding, await refuseClaimed(db, place, error.message, storyOf(finding)));
        return 'settled';
      }
      log.error({ err: error }, 'a step failed by a fault of ours');
      performed = {
        outcome: { kind: 'retry', reason: 'internal', message: 'Tripline failed; its log says why' },
        check: null,
      };
    } finally {
      clearInterval(beat);
    }
    const { outcome, check } = performed;
    if (outcome.kind === 'retry' && remediation.attempts + 1 < maxAttempts) {
      const afterMs = Math.min(outcome.afterMs ?? pausesMs[remediation.attempts] ?? pausesMs.at(-1)!, longestPauseMs);
      failpoint('remediator.before-postpone');
      await postponeRemediation(db, place, { reason: outcome.reason, said: saidBy(outcome), afterMs });
      failpoint('remediator.after-postpone');
      log.info({ reason: outcome.reason, afterMs }, 'a step is to be tried again');
      return 'postponed';
    }
    const settled = {
      state: outcome.kind === 'done' ? 'done' : 'failed',
      reason: outcome.reason ?? 'accepted',
      said: saidBy(outcome),
      check: check ?? { result: 'unknown', said: 'GitHub was not asked: it gave no token or no answer' },
    } as const;
    failpoint('remediator.before-settle');
    report(finding, await settleRemediation(db, place, settled, storyOf(finding)));
    failpoint('remediator.after-settle');
    return 'settled';
  }

  /** A settled step in the metrics and on the terminal. Undefined: another worker settled it, and said so. */
  function report(finding: StoredFinding, settled: Remediation | undefined): void {
    if (settled === undefined) return;
    const { step, mode, verdict, state, check } = settled;
    counter.inc({ action: step.action, mode, verdict: verdict ?? '', state, check: check?.result ?? 'none' });
    const { rule, incident } = finding;
    onActed?.({ ...settled, rule, incident, undo: actionOf(step).undo(step), text: sentence(settled) });
  }
}

/** What the incident's story says of a settled step. */
function storyOf({ id, incident }: StoredFinding): StoryOfSteps {
  return {
    incident,
    line(settled) {
      const { ordinal, step, code, mode, verdict, state, reason, said, check, request } = settled;
      const what = { finding: id, ordinal, action: step.action, code, mode, verdict, state, reason, said, check };
      return { ...what, request, undo: actionOf(step).undo(step), text: sentence(settled) };
    },
  };
}

function saidBy(outcome: Outcome): string {
  return (outcome.message ?? '').slice(0, 1000);
}

/** What became of a step, for people. A thing that survived is said first and loudly. */
function sentence({ step, verdict, state, said, check, request }: Remediation): string {
  const { verb } = responseActions[step.action];
  const call = `${request.method} ${request.path}`;
  if (state === 'refused') {
    return verdict === 'dry-run' ? `Dry run: would ${verb} (${call})` : `Did not ${verb}: ${said}`;
  }
  if (state === 'failed') return `FAILED to ${verb}: ${said}`;
  if (check?.result === 'alive') return `STILL ALIVE after the attempt to ${verb}: ${check.said}`;
  if (check?.result === 'dead') return `Done: ${verb}; ${check.said}`;
  return `Done, NOT CONFIRMED: ${verb}; ${check?.said ?? 'GitHub was not asked'}`;
}
