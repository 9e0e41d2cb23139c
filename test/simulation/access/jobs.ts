import type { LoggedJob } from '@tripline/access/known-run';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Workload } from '@tripline/identity/workload';
import { type NewRecord, topics } from '@tripline/stream/stream';
import type { Random } from '../random.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const sha = '41ab7c5e9d0f1a2b3c4d5e6f708192a3b4c5d6e7';
const caller = 'acme/api/.github/workflows/release.yml@refs/heads/main';

/** What jobs may ask for, by policy (see broker.ts). */
export const policyNames = ['deploy', 'deploy-both', 'deploy-run'] as const;
type PolicyName = (typeof policyNames)[number];

/** A job of the play, with what becomes of it: times are ms since the epoch. */
export type Job = {
  nth: number;
  run: string;
  attempt: number;
  checkRun: string;
  policy: PolicyName;
  /** When the detector tells of it; some ask before that. */
  toldMs: number;
  asksMs: readonly number[];
  /** When it ends, and its run with it; null where it hangs. */
  endMs: number | null;
  /** When the log is told so; null where that is lost. */
  endToldMs: number | null;
  /** When an incident opens that names its run; null where none does. */
  incidentMs: number | null;
  givesBack: boolean;
};

/** Jobs that end before, while and after they ask; whose end comes late, twice or never; and attempts beside one another. */
export function drawJobs(random: Random, startMs: number): Job[] {
  const jobs: Job[] = [];
  const spanMs = random.pick([20 * secondMs, 2 * minuteMs, 6 * minuteMs]);
  for (let nth = 0, count = random.int(4, 12); nth < count; nth += 1) {
    const former = jobs.at(-1);
    const isRerun = former !== undefined && former.attempt < 3 && random.chance(0.25);
    const atMs = startMs + (isRerun ? former.toldMs - startMs : random.int(0, spanMs));
    const lastsMs = random.pick([0, 500, 2 * secondMs, 10 * secondMs, minuteMs]);
    const endMs = random.chance(0.1) ? null : atMs + random.int(0, lastsMs);
    const isLost = random.chance(0.15);
    jobs.push({
      ...{ nth, run: isRerun ? former.run : String(100 + nth), attempt: isRerun ? former.attempt + 1 : 1 },
      checkRun: String(5000 + nth),
      policy: random.pick(policyNames),
      toldMs: atMs + random.pick([0, 0, 0, 3 * secondMs]),
      asksMs: Array.from({ length: random.pick([1, 1, 2, 3]) }, () => atMs + random.int(0, 2 * secondMs)),
      endMs,
      endToldMs: endMs === null || isLost ? null : endMs + random.pick([0, 0, 200, 20 * secondMs]),
      incidentMs: random.chance(0.15) ? atMs + random.int(0, 5 * secondMs) : null,
      givesBack: random.chance(0.1),
    });
  }
  return jobs;
}

/** Where the job is written down, as an incident names its run. */
export const runKeyOf = ({ run }: Job): string => `github:github.com:74#${run}`;

/** What its token would prove, each one anew by `nth`. */
export function workloadOf(job: Job, nth: string, nowMs: number): Workload {
  return {
    ...{ issuer: 'https://token.actions.githubusercontent.com', subject: 'repo:acme/api:ref:refs/heads/main' },
    tokenId: { of: 'jti', sha256: nth.padStart(64, '0') },
    ...{ issuedAtMs: nowMs, expiresAtMs: nowMs + 5 * minuteMs, cautions: [], owner: { id: '65', name: 'acme' } },
    ...jobOf(job),
  };
}

const jobOf = ({ run, attempt, checkRun }: Job) => ({
  ...{ provider: 'github' as const, repository: { id: '74', name: 'acme/api' }, run: { id: run, attempt } },
  ...{ checkRunId: checkRun, event: 'push', ref: 'refs/heads/main', sha, headRef: null, baseRef: null },
  ...{ caller: { ref: caller, sha }, workflow: { ref: caller, sha }, environment: 'production' },
  ...{ runnerEnvironment: 'github-hosted' as const, actor: { id: '12', name: 'ada' } },
});

/** What the detector tells of a job that runs and whose commit was reviewed. */
export const loggedOf = (job: Job): LoggedJob => ({
  ...{ name: 'deploy', job: jobOf(job), referenced: [], things: [], startedMs: job.toldMs, finishedMs: undefined },
  known: {
    ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
    runner: { group: undefined, isKnown: true },
  },
});

/** What the log is told of its end, and of that of its run. */
export function endOf({ run, attempt, checkRun, nth }: Job, what: 'taskrun' | 'pipelinerun', atMs: number): NewRecord {
  const event = {
    ...{ id: `${what}-${nth}`, source: '//github.com/acme', type: `dev.cdevents.${what}.finished`, workspace: 'acme' },
    ...{ time: new Date(atMs).toISOString(), trust: 'high' },
    data: {
      ...{ 'vcs.repository.id': '74', 'vcs.repository.name': 'acme/api', 'cicd.pipeline.run.id': run },
      ...{ 'tripline.pipeline.run.attempt': attempt, 'vcs.ref.head.revision': sha },
      ...(what === 'taskrun' ? { 'cicd.pipeline.task.run.id': checkRun } : {}),
    },
  } as TriplineEvent;
  return { topic: topics.events, ...toEventRecord(event) };
}
