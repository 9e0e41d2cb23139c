import { gatePassed } from '@tripline/contracts/fact';
import {
  type DeploymentGate,
  deploymentGates,
  type GateEntry,
  type GateQuestion,
  type GateVerdict,
  repositoryKeyOfGate,
} from '@tripline/facts/deployment-gates';
import { entityOf, personOf } from '@tripline/facts/things';
import { targetOf } from './builders/seen.ts';

const words = {
  high: {
    title: 'though nobody approved it',
    why: 'A review of it was asked for, and none was given when a machine took its job.',
  },
  medium: {
    title: 'without the review that others were asked for',
    why: 'Other runs were asked for a review there before, and this one was not.',
  },
  low: { title: 'on the approval of who set it off', why: 'Whoever set the run off approved it, and nobody else did.' },
};

type GateWord = DeploymentGate['asked'][number] | DeploymentGate['answered'][number] | GateQuestion | GateVerdict;

/** What is found of a gate: of one run or, at medium severity, of all runs that went without it. */
export function gateVerdict(
  { repository, environment }: DeploymentGate,
  key: string,
  run: string,
  of: {
    entries: readonly GateEntry[];
    because: readonly GateWord[];
    severity: 'high' | 'medium' | 'low';
    /** What would explain it may still be on its way: medium until then, and nothing is stopped. */
    mayBeLate?: true;
  },
) {
  const { entries, because, severity, mayBeLate } = of;
  const runId = run.slice(run.lastIndexOf('#') + 1);
  const place = entityOf('repository', repository, repositoryKeyOfGate(key));
  const seen = because.map((one) => ({
    ...{ fact: deploymentGates, key, seen: one },
    entities: 'by' in one && one.by !== undefined ? [place, personOf(one.by, key)] : [place],
    what: told(one, environment),
  }));
  const jobs = entries.slice(0, 10).map((one) => ({
    ...{ fact: deploymentGates, key, seen: one, entities: [place] },
    what: `A machine took job ${one.name} of run ${runIdOf(one.run)} for ${environment}`,
  }));
  const isOfRun = severity !== 'medium';
  const subject = isOfRun ? `${repository}#${runId}` : `${repository}@${environment}`;
  return {
    ...{ subject, occasion: isOfRun ? `${severity} ${environment}` : `gate ${because[0]!.eventId}` },
    severity: mayBeLate ? ('medium' as const) : severity,
    acts: [...new Set(entries.map((one) => gatePassed(idOf(key), runIdOf(one.run))))],
    because: [...seen, ...jobs],
    // That something was not told is less sure than what was.
    ...(severity === 'low' ? {} : { confidence: 'medium' as const }),
    title: `Run ${runId} of ${repository} deployed to ${environment} ${words[severity].title}`,
    summary: `${words[severity].why} What it deployed is in ${environment} without the second pair of eyes that the gate stands for.`,
    entities: [entityOf('run', `${repository}#${runId}`, run)],
    response:
      severity === 'high' && !mayBeLate
        ? [{ action: 'stop-run' as const, ...targetOf({ name: repository, id: idOf(key) }, key), runId }]
        : [],
    remedy: [
      `Look at what run ${runId} deployed, and put back what stood in ${environment} before unless somebody answers for it.`,
      'Let nobody go past the gate, administrators included, and nobody review their own run, in the environment’s settings.',
    ],
  };
}

const decided = { granted: 'approved', denied: 'rejected', pending: 'waits with' };

function told(one: GateWord, environment: string): string {
  const what = `run ${runIdOf(one.run)} for ${environment}`;
  if ('decision' in one) return `Tripline’s gate ${decided[one.decision]} ${what}`;
  if ('approved' in one) return `${one.by?.login ?? 'Somebody'} ${one.approved ? 'approved' : 'rejected'} ${what}`;
  return 'heardMs' in one ? `GitHub asked Tripline’s gate about ${what}` : `A review of ${what} was asked for`;
}

/** A run's id at the provider, by its key. */
export const runIdOf = (run: string): string => run.slice(run.lastIndexOf('#') + 1);
const idOf = (key: string): string => repositoryKeyOfGate(key).split(':').slice(2).join(':');
