import { type NamedPolicy, policiesAtGate, type WaitingJob } from '@tripline/access/decide-gate';
import type { Version } from '@tripline/access/diff';
import { type Known, promotionMs } from '@tripline/access/known';
import type { LoggedJob } from '@tripline/access/known-run';
import { thingKey } from '@tripline/contracts/fact';
import { isSameEntity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { personOf, runKeyIn } from '@tripline/facts/things';
import { readOpenAt } from '@tripline/incidents/open-at';
import type { Clock } from '@tripline/runtime/clock';
import { nameOfEnvironment } from './compare-with-log.ts';
import { keysOfJob } from './keys.ts';
import { type StepUps, standsFor, type ToStandFor } from './step-up.ts';
import type { Question } from './store/gates.ts';
import { readBehindMs } from './store/known-runs.ts';

/** What is known of a job that waits, by the policies that may let it through. */
export type KnownAtGate = { job: WaitingJob; knownFor: (policy: string) => Known };

/** The key of the run that is asked about. */
export const runOf = ({ instance, repository, runId }: Question): string =>
  runKeyIn(thingKey('github', instance, repository.id), runId);

/** What somebody stands for who proves a second factor for a job that waits: the same as when the job itself asks. */
export function toStandFor(
  { workspace, instance }: Question,
  job: WaitingJob,
  { name, policy }: NamedPolicy,
  lock: Version['lock'],
): ToStandFor {
  const { run } = keysOfJob(job, { workspace, instance });
  return { workspace, run, instance, job, policyName: name, policy, lock };
}

/** `actor`: who set the run off at first, as GitHub says; absent where it was not asked yet. */
export type ToldAtGate = {
  jobs: readonly LoggedJob[];
  attempt: number;
  actor?: WaitingJob['actor'] | null | undefined;
};

/**
 * What is known of a job of one attempt that waits for the environment: the run's commit, ref, workflow and what was reviewed of
 * it, which all of its jobs share. It is of whoever set the run off at first, as its token will say, and an incident that names whoever ran
 * it again counts as well. Undefined where no job of it was told of.
 */
export async function knownAtGate(
  { db, clock, stepUps }: { db: Db; clock: Pick<Clock, 'nowMs'>; stepUps?: Pick<StepUps, 'approvalFor'> | undefined },
  question: Question & { heardMs: number },
  { jobs, attempt, actor: asSaid }: ToldAtGate,
  version: Version,
): Promise<KnownAtGate | undefined> {
  const ofAttempt = jobs.filter((one) => one.job.run.attempt === attempt);
  const isOwn = ({ job: { environment } }: LoggedJob) =>
    nameOfEnvironment(environment) === nameOfEnvironment(question.environment);
  const told = ofAttempt.find(isOwn) ?? ofAttempt[0];
  if (told === undefined) return undefined;
  const first = jobs.find(({ job: { run } }) => run.attempt === 1);
  const actor = asSaid ?? first?.job.actor ?? told.job.actor;
  const job = waitingJob(question, told, actor);
  // The machine of another job, and that of one that waits, are not what it will run on.
  const ofRun = told.things.filter(({ kind }) => kind !== 'runner');
  const setOffBy = personOf({ id: actor.id, login: actor.name }, runOf(question));
  const isNamed = actor.id === '' || ofRun.some((one) => isSameEntity(one, setOffBy));
  const things = isNamed ? ofRun : [...ofRun, setOffBy];
  const [incidents, behindMs] = await Promise.all([
    readOpenAt(db, question.workspace, things),
    readBehindMs(db, question.workspace),
  ]);
  const { fork, reviewed, deployedTo } = told.known;
  const known: Known = {
    ...{ log: { disagrees: [], behindMs }, job: 'unknown', fork, reviewed, deployedTo, runner: undefined, incidents },
    ...{ address: undefined, approval: undefined },
    // What the run deployed right before is told beside the question.
    mayBePromoted: clock.nowMs() - question.heardMs < promotionMs,
  };
  const approvals = new Map<string, Known['approval']>();
  for (const named of policiesAtGate(job, version).policies) {
    if (named.policy.needs.mfa === undefined) continue;
    const approval = await stepUps?.approvalFor(standsFor(toStandFor(question, job, named, version.lock)));
    approvals.set(named.name, approval);
  }
  return { job, knownFor: (policy) => ({ ...known, approval: approvals.get(policy) }) };
}

/** What its run's events tell of it; the rest is told by its token, later. */
function waitingJob(
  { owner, repository, environment }: Question,
  { job }: LoggedJob,
  actor: WaitingJob['actor'],
): WaitingJob {
  return {
    ...{ ...job, actor, cautions: [], owner, environment, checkRunId: null },
    // As the run's own events call it, with which the address of its workflow begins.
    repository: { id: repository.id, name: job.repository.name },
  };
}
