import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askedOf } from '@tripline/access/asked-of';
import { type Decision, decide } from '@tripline/access/decide';
import { houseOf, overridesOf } from '@tripline/access/house';
import { type LoggedJob, readingRuns } from '@tripline/access/known-run';
import type { Policy } from '@tripline/access/policy';
import { isIn } from '@tripline/access/text-set';
import type { Config } from '@tripline/config/config';
import type { Attributes } from '@tripline/contracts/attributes';
import type { Db } from '@tripline/db/database';
import type { RuleSet } from '@tripline/detector/load-rules';
import { configureRule } from '@tripline/engine/settings';
import { readOpenAt } from '@tripline/incidents/open-at';
import { topics } from '@tripline/stream/stream';
import { findEvent, readLog } from '@tripline/trail/read-log';
import { listReceived } from '@tripline/trail/received';
import { createJudge } from '../replay/judge.ts';
import { openScratch } from '../replay/scratch.ts';
import type { DatedVersion } from './policy-versions.ts';

/** What one policy would have said to one job. */
export type Answer = { policy: string } & Decision;
/** `judgedBy`: the policies that were in force when it started; null where none were yet, so that there are no answers. */
export type ExplainedJob = {
  job: string;
  attempt: number;
  startedAt: string | null;
  judgedBy: string | null;
  answers: Answer[];
};
export type ExplainedRun = { repository: string; run: string; jobs: ExplainedJob[] };

/**
 * What each policy would have answered each job of a run while it ran, by what the trail kept from `from` on, and by those of
 * `versions` that were in force when the job started: nothing is given or recorded. Undefined where no event tells of the run.
 *
 * A token says which workflow holds the job; of a run that calls several, the one that the policy asks for is supposed. Nobody
 * was asked for a second factor, and from which address it would have asked is not known.
 */
export async function explainRun(
  { db, config, set }: { db: Db; config: Config; set: RuleSet },
  {
    repository,
    run,
    from,
    versions,
  }: { repository: string; run: string; from: Date; versions: readonly DatedVersion[] },
): Promise<ExplainedRun | undefined> {
  const of = await findRun(db, repository, run, from);
  if (of === undefined) return undefined;
  const known = await knownJobs({ db, config, set }, of, { run, from, versions });
  const jobs: ExplainedJob[] = [];
  for (const one of known.values()) {
    const { job, known: facts, startedMs } = one;
    const at = startedMs === undefined ? new Date() : new Date(startedMs);
    const incidents = await readOpenAt(db, of.workspace, one.things, at);
    const policies = versions.findLast(({ fromMs }) => fromMs <= at.getTime());
    const answers = Object.entries(policies?.file.policies ?? {}).flatMap(([policy, asked]) => {
      if (!mayBeOf(asked, one)) return [];
      const asking = { ...job, cautions: [], owner: { id: of.ownerId, name: repository.split('/')[0]! } };
      const workflow = heldBy(asked, one);
      const all = { ...facts, incidents, address: undefined, approval: undefined };
      const house = { tiers: policies!.file.tiers, lock: policies!.lock };
      return [{ policy, ...decide({ ...asking, workflow: { ...job.workflow, ref: workflow } }, all, asked, house) }];
    });
    const startedAt = startedMs === undefined ? null : at.toISOString();
    jobs.push({ job: one.name, attempt: job.run.attempt, startedAt, judgedBy: policies?.said ?? null, answers });
  }
  return { repository, run, jobs };
}

/** Most of a repository's events that are looked through for one of the run. */
const mostLookedAt = 100_000;

async function findRun(db: Db, repository: string, run: string, since: Date) {
  const received = await listReceived(db, { since, repository, type: 'run.', limit: mostLookedAt });
  const own = received.find(({ data }) => (data as Attributes | null)?.['cicd.pipeline.run.id'] === run);
  if (own?.id == null || own.workspace === null) return undefined;
  const [found] = await findEvent(db, own.id);
  if (found === undefined) return undefined;
  const ownerId = (own.data as Attributes)['vcs.owner.id'] ?? '';
  return { workspace: own.workspace, partition: found.record.partition, ownerId };
}

/** Each job as it was known last while it ran; one that was told of only afterwards, as it was known first. */
async function knownJobs(
  { db, config, set }: { db: Db; config: Config; set: RuleSet },
  { workspace, partition }: { workspace: string; partition: number },
  { run, from, versions }: { run: string; from: Date; versions: readonly DatedVersion[] },
): Promise<Map<string, LoggedJob>> {
  const told = new Map<string, LoggedJob>();
  let batch: LoggedJob[] = [];
  const rule = readingRuns((_, key, jobs) => {
    if (key.endsWith(`#${run}`)) batch.push(...jobs.filter(({ job }) => job.checkRunId !== null));
  });
  const workflows = [...new Set(versions.flatMap((one) => askedOf(one).workflows))].sort();
  const written = { ...houseOf(set.rules), workflows };
  const folder = mkdtempSync(join(tmpdir(), 'tripline-access-'));
  const scratch = openScratch(folder);
  try {
    const judge = createJudge(config, [configureRule(rule, written, overridesOf(set.overrides))], scratch, () => {
      batch = [];
    });
    const take = () => {
      for (const one of batch) {
        const key = `${one.job.run.attempt} ${one.name}`;
        if (one.known.job !== 'ended' || !told.has(key)) told.set(key, one);
      }
      batch = [];
    };
    for await (const records of readLog(db, { topic: topics.events, partition, workspace, from, to: new Date() })) {
      for (const record of records) {
        judge.judge({ records: [record], caughtUpAtMs: null });
        take();
      }
    }
    // What was held back until later is known by then.
    judge.judge({ records: [], caughtUpAtMs: Date.now() });
    take();
  } finally {
    scratch.close();
    rmSync(folder, { recursive: true, force: true });
  }
  // While it was asked, it ran: what is told of its end alone says so too.
  for (const [key, one] of told) {
    if (one.known.job === 'ended') told.set(key, { ...one, known: { ...one.known, job: 'running' } });
  }
  return told;
}

/** Whether a policy is written for the repository of a job: others would deny it for that alone. */
function mayBeOf({ who }: Policy, { job }: LoggedJob): boolean {
  return 'github' in who && who.github.repository.toLowerCase() === job.repository.name.toLowerCase();
}

/** The workflow that is supposed to hold the job. What a run calls may be told by the branch's short name. */
function heldBy({ who }: Policy, { job, referenced }: LoggedJob): string {
  const wanted = 'github' in who ? who.github.workflow : undefined;
  if (wanted === undefined) return job.workflow.ref;
  const whole = referenced.flatMap((one) => {
    const [file, ref = ''] = one.split('@', 2);
    return ref.startsWith('refs/') ? [one] : [`${file}@refs/heads/${ref}`, `${file}@refs/tags/${ref}`];
  });
  return whole.find((one) => isIn(wanted, one)) ?? job.workflow.ref;
}
