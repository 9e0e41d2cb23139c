import { isPromoted } from '@tripline/access/decide';
import { type Known, promotionMs } from '@tripline/access/known';
import type { LoggedJob } from '@tripline/access/known-run';
import type { Policy, PolicyFile } from '@tripline/access/policy';
import type { Config } from '@tripline/config/config';
import { isSameEntity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { readOpenAt } from '@tripline/incidents/open-at';
import { type GitHubJobState, readJob } from '@tripline/integrations/github/job';
import { mayRead } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Gather, ProvedJob } from './asking.ts';
import { disagreementsOf, isOf, nameOfEnvironment } from './compare-with-log.ts';
import type { RunNews } from './run-news.ts';
import { readKnownRun, type ToldRun } from './store/known-runs.ts';
import { thingsOfJob } from './things-of-job.ts';

/** How long what the log has yet to tell is waited for, ms. */
const usualWaitMs = 8000;
/** How long GitHub is asked about what it did not tell, ms. */
const askMs = 1500;
/** How often it is looked for what the log has yet to tell, ms; with signals of it, only for those that got lost. */
const lookEveryMs = 200;
const signalledLookEveryMs = 2000;
/** So long after its start what would show that a commit is reviewed, or was promoted, may be on its way, ms. */
const freshMs = 60_000;

export type GatherParts = {
  config: Pick<Config, 'github'>;
  db: Db;
  clock: Clock;
  logger: Logger;
  /** 8 s unless told otherwise. */
  waitMs?: number | undefined;
  /** Signals what is told; without it, it is only looked for. */
  news?: Pick<RunNews, 'of'> | undefined;
  /** In the place of GitHub's API; undefined where it tells of no such job. */
  askJob?: (job: ProvedJob) => Promise<GitHubJobState | undefined>;
};

/** Whose events it is that are read, and by which tiers a policy promotes. */
type Of = Pick<Parameters<Gather>[2], 'workspace' | 'tiers'>;

/** What was told of the run: of this very job, of any of its attempt, and of any of the first. */
type ToldJobs = {
  own: LoggedJob | undefined;
  ofAttempt: LoggedJob | undefined;
  first: LoggedJob | undefined;
  /** How far behind whoever tells of jobs was then, ms. */
  behindMs: number;
};

/**
 * What the log tells of a job that proved who it is. What it has not told yet is waited for; then GitHub is asked whether the job
 * runs and on which machine, and of nothing else, since what it answers of reviews the rules have to judge. The rest is unknown.
 */
export function createGather(parts: GatherParts): Gather {
  const { config, db, clock, logger, waitMs = usualWaitMs } = parts;
  const askJob = parts.askJob ?? ((job) => askGitHub({ config, clock, logger }, job));

  async function waitFor(
    job: ProvedJob,
    policy: Policy,
    { workspace, run, tiers, first }: Of & { run: string; first: ToldRun | undefined },
  ): Promise<ToldJobs & { isFirst: boolean }> {
    const untilMs = clock.nowMs() + waitMs;
    if (first !== undefined) {
      const told = toldOf(job, first);
      if (isAllTold(told, job, { policy, tiers }, clock.nowMs())) return { ...told, isFirst: true };
    }
    for (;;) {
      // Before it is read: what is told from then on wakes it.
      const news = parts.news?.of(workspace, run);
      try {
        const told = toldOf(job, await readKnownRun(db, workspace, run));
        const leftMs = untilMs - clock.nowMs();
        if (leftMs <= 0 || isAllTold(told, job, { policy, tiers }, clock.nowMs())) return { ...told, isFirst: false };
        const everyMs = news === undefined ? lookEveryMs : signalledLookEveryMs;
        await clock.pause(Math.min(everyMs, leftMs), news?.signal);
      } finally {
        news?.forget();
      }
    }
  }

  return async (job, policy, { workspace, address, tiers, asSpent }) => {
    const { run, things: proved } = thingsOfJob(job);
    const told = await waitFor(job, policy, { workspace, run, tiers, first: asSpent?.told });
    const { own, ofAttempt, behindMs } = told;
    const lacksRunner = needsRunner(policy, job) && own?.known.runner === undefined;
    const isUnknown = own === undefined || own.known.job === 'unknown' || (own.known.job === 'running' && lacksRunner);
    const asked = isUnknown && job.checkRunId !== null ? await askJob(job) : undefined;
    const things = [
      ...proved,
      ...(own?.things ?? []).filter((one) => !proved.some((other) => isSameEntity(one, other))),
    ];
    // What an incident may name is known to be in none only of what was told as the token was spent.
    const isInNone = told.isFirst && asSpent?.mayBeOpen === false;
    const incidents = policy.needs.noIncident === undefined || isInNone ? [] : await readOpenAt(db, workspace, things);
    const disagrees = ofAttempt === undefined ? [] : disagreementsOf(job, own ?? ofAttempt, told.first);
    const known: Known = {
      ...{ job: stateOf(own, asked), log: { disagrees, behindMs }, runner: runnerOf(own, asked) },
      fork: ofAttempt?.known.fork,
      reviewed: ofAttempt?.known.reviewed ?? { is: 'unknown', why: 'its run was not told of yet' },
      deployedTo: ofAttempt?.known.deployedTo ?? [],
      mayBePromoted: clock.nowMs() - (own?.startedMs ?? 0) < promotionMs,
      ...{ incidents, address, approval: undefined },
    };
    return { known, things };
  };
}

/** Of several jobs that a token without a job may be of, none is the one. */
function toldOf(job: ProvedJob, { jobs, behindMs }: ToldRun): ToldJobs {
  const ofAttempt = jobs.filter((one) => one.job.run.attempt === job.run.attempt);
  const own =
    job.checkRunId === null ? ofAttempt.filter((one) => mayBe(job, one)) : ofAttempt.filter((one) => isOf(job, one));
  return {
    own: own.length === 1 ? own[0] : undefined,
    ofAttempt: own.length === 1 ? own[0] : ofAttempt[0],
    first: jobs.find((one) => one.job.run.attempt === 1),
    behindMs,
  };
}

/** An Enterprise Server's token names its run alone. */
const mayBe = ({ environment, runnerEnvironment }: ProvedJob, { job }: LoggedJob): boolean =>
  job.checkRunId !== null &&
  nameOfEnvironment(job.environment) === nameOfEnvironment(environment) &&
  job.runnerEnvironment === runnerEnvironment;

/** Whether there is nothing to wait for: all that the policy asks of the log is told, or stays as it is. */
function isAllTold(
  { own }: ToldJobs,
  job: ProvedJob,
  { policy, tiers }: { policy: Policy; tiers: PolicyFile['tiers'] },
  nowMs: number,
): boolean {
  if (own === undefined || own.known.job === 'unknown') return false;
  if (own.known.job === 'ended') return true;
  if (needsRunner(policy, job) && own.known.runner === undefined) return false;
  const isFresh = nowMs - (own.startedMs ?? 0) < freshMs;
  const { reviewed, promotedFrom } = policy.needs;
  if (reviewed && isFresh && own.known.reviewed.is === 'unknown') return false;
  return promotedFrom === undefined || !isFresh || isPromoted(promotedFrom, tiers, own.known);
}

/** Whether the policy asks for the machine, of which a token says only whether it is GitHub's own. */
const needsRunner = ({ who, needs }: Policy, { runnerEnvironment }: ProvedJob): boolean =>
  runnerEnvironment === 'self-hosted' &&
  (needs.knownRunner === true || ('github' in who && typeof who.github.runner === 'object'));

function stateOf(own: LoggedJob | undefined, asked: GitHubJobState | undefined): Known['job'] {
  const told = own?.known.job ?? 'unknown';
  if (told !== 'unknown' || asked === undefined || asked.state === 'waiting') return told;
  return asked.state;
}

/** Which machine of one's own it is that GitHub tells of, its events have to say: until then nobody knows it. */
const runnerOf = (own: LoggedJob | undefined, asked: GitHubJobState | undefined): Known['runner'] =>
  own?.known.runner ?? (asked?.runner && { group: asked.runner.group, isKnown: asked.runner.isHosted });

async function askGitHub(
  { config, clock, logger }: Pick<GatherParts, 'config' | 'clock' | 'logger'>,
  { repository, run, checkRunId }: ProvedJob,
): Promise<GitHubJobState | undefined> {
  if (!mayRead(config.github) || checkRunId === null) return undefined;
  const log = logger.child({ repository: repository.name, run: run.id });
  const options = {
    nowMs: clock.nowMs,
    onLeftAlive: (reason: string) =>
      log.error({ reason }, 'revoking a read-only token failed; it expires within an hour'),
  };
  const answer = readJob({ ...config.github, timeoutMs: askMs }, { repository, run, checkRunId }, options).catch(
    (error) => {
      log.warn({ err: error }, 'asking GitHub about a job failed; it stays unknown');
      return undefined;
    },
  );
  return Promise.race([answer, clock.pause(askMs).then(() => undefined)]);
}
