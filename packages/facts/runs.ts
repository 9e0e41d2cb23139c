import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact, Fact, LearnContext, Observed, PassedOver } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, observedBy, type Replacing } from './bounds.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountOf, accountSchema, authorOf, isOfRun, runKeyOf, runTypes, senderOf } from './things.ts';

const dayMs = 86_400_000;

/** A job of a run: a task on one worker. Times are the provider's, ms since the epoch. */
export const jobSchema = observedSchema.extend({
  /** The provider's id of the job; it differs between attempts. */
  id: z.string(),
  /** By which its token names it, where that is not its id. */
  checkRunId: z.string().optional(),
  name: z.string(),
  startedMs: z.number().optional(),
  finishedMs: z.number().optional(),
  /** The machine; absent while none is assigned. `hosted`: the provider's own. */
  worker: z
    .object({
      id: z.string().optional(),
      name: z.string(),
      hosted: z.boolean(),
      labels: z.array(z.string()),
      groupId: z.string().optional(),
      groupName: z.string().optional(),
    })
    .optional(),
  environment: z.string().optional(),
  production: z.boolean().optional(),
});
/** A deployment that an event of its own told, and that names the run. */
export const runDeploymentSchema = observedSchema.extend({ id: z.string().optional(), environment: z.string() });

/** One attempt at a run. Its own events say most of it; jobs may be received first. */
export const attemptSchema = observedSchema.extend({
  attempt: z.number(),
  /** When the log first heard of it, ms of the log's time. */
  heardMs: z.number(),
  /** Absent while only jobs were received, as is all that events of the run itself say. */
  trigger: z.string().optional(),
  path: z.string().optional(),
  name: z.string().optional(),
  /** Who set this attempt off. */
  actor: accountSchema.optional(),
  startedMs: z.number().optional(),
  finishedMs: z.number().optional(),
  revision: z.string().optional(),
  /** Branch or tag, the provider does not say which. */
  ref: z.string().optional(),
  /** The head lies in another repository. */
  fork: z.boolean().optional(),
  /** True while no event of the run itself said where the head lies. */
  headUntold: z.boolean().optional(),
  /** Paths of workflows that it calls, each `owner/name/path@ref`. */
  referenced: z.array(z.string()),
  /** Numbers of changes that the provider says it belongs to. */
  changes: z.array(z.string()),
  /** Names of secrets that it was seen to be given, where a feed tells. */
  secrets: z.array(z.string()),
  jobs: z.array(jobSchema),
});
export const runSchema = z.object({
  id: z.string(),
  /** The repository's full name as it was told last, when, and its id and address. */
  repository: z.object({
    name: z.string(),
    id: z.string().optional(),
    url: z.string().optional(),
    defaultBranch: z.string().optional(),
    toldMs: z.number(),
    /** When the run was told of at the earliest, and how the repository was called then, where that was otherwise. */
    firstMs: z.number().optional(),
    firstName: z.string().optional(),
  }),
  attempts: z.array(attemptSchema),
  deployments: z.array(runDeploymentSchema),
});
export type Run = z.infer<typeof runSchema>;
export type Attempt = z.infer<typeof attemptSchema>;
export type Job = z.infer<typeof jobSchema>;

const reads = [
  ...runTypes,
  'dev.cdeventsx.tripline-taskrun.queued',
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
  'dev.cdeventsx.tripline-credential.used',
  'dev.cdeventsx.tripline-deployment.requested',
  'dev.cdeventsx.tripline-deployment.changed',
  'dev.cdevents.service.deployed',
] as const satisfies readonly EventType[];
const isOfJob = eventIs(
  'dev.cdeventsx.tripline-taskrun.queued',
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
);
const isDeployment = eventIs(
  'dev.cdeventsx.tripline-deployment.requested',
  'dev.cdeventsx.tripline-deployment.changed',
  'dev.cdevents.service.deployed',
);

/** Jobs with a machine of one's own or an environment are bounded apart from the many without, which crowd out none. */
const hostedJobs: Bound<Job> = {
  kind: 'hosted jobs',
  authorOf: () => '',
  mostPerAuthor: 60,
  most: 60,
  nameOf: jobId,
  // A matrix has up to 256, of which each says what all say.
  rolls: 'all',
};
const tellingJobs: Bound<Job> = {
  kind: 'jobs',
  authorOf: (job) =>
    job.worker?.hosted === false ? `runner ${job.worker.id ?? job.worker.name}` : (job.environment ?? ''),
  mostPerAuthor: 20,
  most: 200,
  nameOf: jobId,
  // Of one environment, or on one machine, each says what all say.
  rolls: 'each',
};
const attempts: Bound<Attempt> = {
  kind: 'attempts',
  authorOf: ({ actor }) => authorOf(actor),
  mostPerAuthor: 20,
  most: 60,
  nameOf: ({ attempt }) => String(attempt),
};
const deployments: Bound<Run['deployments'][number]> = {
  kind: 'deployments',
  authorOf: ({ environment }) => environment,
  mostPerAuthor: 1,
  most: 100,
};
const mostListed = 100;

/** What was built or deployed at one moment, whichever fact tells of it: an attempt of a run, or a deployment that no run made. */
export type Build = {
  /** Of the run or the deployment. */
  id: string;
  /** The repository, as findings call it. */
  repository: string;
  /** What ran, in words. */
  name: string;
  /** What tells two builds of one commit apart. */
  occasion: string;
  revision: string;
  ref: string | undefined;
  by: Account | undefined;
  timeMs: number;
  heardMs: number;
  environments: readonly string[];
  /** What there is to tell of it, in words; made only where something is found. */
  lines: () => { fact: AnyFact; key: string; observed: Observed; what: string }[];
  attempt?: Attempt;
};

/** `key`: the run's. */
export function buildOf(key: string, run: Run, attempt: Attempt): Build {
  const { name, path, ref, heardMs, actor, revision = '' } = attempt;
  // Written out: it is made for every run that is judged, and to spread objects costs more than the rest of it.
  return {
    id: run.id,
    repository: nameInFindings(run),
    name: name ?? path ?? 'A workflow',
    occasion: `${run.id}/${attempt.attempt}`,
    revision,
    ref,
    by: actor,
    timeMs: parseTime(attempt.time),
    heardMs,
    environments: environmentsOf(run, attempt),
    lines: () => linesOf(run, attempt).map((line) => ({ ...line, fact: runs, key })),
    attempt,
  };
}

/** Machines of one's own and environments: what there is to tell of an attempt beside what set it off, in words. */
function linesOf(run: Run, attempt: Attempt): { observed: Observed; what: string }[] {
  const { name, path, ref, trigger, actor } = attempt;
  const by = actor === undefined ? '' : `, set off by ${actor.login}`;
  const jobs = attempt.jobs.filter(tells).map((job) => {
    const where = job.environment === undefined ? '' : ` for environment ${job.environment}`;
    const machine = job.worker?.hosted === false ? ` on self-hosted runner ${job.worker.name}` : '';
    return { observed: job, what: `Job ${job.name} of the run${where}${machine}` };
  });
  return [
    {
      observed: attempt,
      what: `Run of ${name ?? path ?? 'a workflow'} on ${ref} by ${trigger ?? 'what was not told'}${by}`,
    },
    ...jobs.slice(0, 4),
    ...run.deployments
      .slice(0, 2)
      .map((one) => ({ observed: one, what: `Deployment of the run to ${one.environment}` })),
  ];
}

/**
 * Whether something was learned that a build of the run tells. Most runs are of pull requests and were given nothing, and most
 * of what is received of the others is of jobs that say nothing.
 */
export function differsInBuilds(before: Run | undefined, run: Run): boolean {
  const staysPlain = isPlainPulls(run) && (before === undefined || isPlainPulls(before));
  return !staysPlain && !differsInPlainJobs(before, run);
}
/** Whether it is but what ran on machines of the provider's without an environment. */
function differsInPlainJobs(before: Run | undefined, run: Run): boolean {
  if (before?.repository !== run.repository || before.deployments !== run.deployments) return false;
  if (before.attempts.length !== run.attempts.length) return false;
  return run.attempts.every((attempt, place) => {
    const other = before.attempts[place]!;
    if (attempt === other) return true;
    // What is learned of an attempt is never unlearned, so it has every field that it had.
    for (const field in attempt) {
      if (field !== 'jobs' && attempt[field as keyof Attempt] !== other[field as keyof Attempt]) return false;
    }
    if (!attempt.jobs.some(tells) && !other.jobs.some(tells)) return true;
    const [jobs, others] = [attempt.jobs.filter(tells), other.jobs.filter(tells)];
    return jobs.length === others.length && jobs.every((job, at) => job === others[at]);
  });
}

/** A pull request's run that was given nothing but what every stranger's is: no secrets, no environment, no machine of one's own. Most are so. */
export function isPlainPull(run: Run, { trigger, secrets, jobs }: Attempt): boolean {
  return (
    trigger?.startsWith('pull_request') === true &&
    trigger !== 'pull_request_target' &&
    secrets.length === 0 &&
    run.deployments.length === 0 &&
    jobs.every(({ environment, worker }) => environment === undefined && worker?.hosted !== false)
  );
}

const isPlainPulls = (run: Run): boolean => run.attempts.every((attempt) => isPlainPull(run, attempt));

/** Every environment that jobs or deployments of the attempt name. */
function environmentsOf(run: Run, attempt: Attempt): string[] {
  const named = [
    ...attempt.jobs.flatMap(({ environment }) => environment ?? []),
    ...run.deployments.map((one) => one.environment),
  ];
  return [...new Set(named)].sort();
}

/**
 * A job on a machine of the provider's, without environment or secrets, as a third of what is received is: the run's own
 * events say more than it does, and it makes no run known. Settings may ask for the jobs of a workflow file.
 */
const plainJob: PassedOver = {
  without: ['deployment.environment.name', 'tripline.credential.secrets'],
  says: { 'tripline.worker.hosted': true },
  unlessWanted: true,
};

export const runs: Fact<Run> = {
  id: 'runs',
  description:
    'A run of a pipeline and its jobs, by attempt: what set it off, who, at which commit and ref, from which workflow file and those that it calls, on which machines, for which environments, with which secrets. ' +
    'Whether the ref is a branch or a tag is not told by the run; see commits and refs.',
  reads,
  passesOver: {
    // That a job waits for a machine says nothing, unless it waits for an environment too.
    'dev.cdeventsx.tripline-taskrun.queued': { without: ['deployment.environment.name'] },
    'dev.cdevents.taskrun.started': plainJob,
    'dev.cdevents.taskrun.finished': plainJob,
  },
  value: runSchema,
  keys: (event) => {
    const key = runKeyOf(event);
    return key === undefined || isOfNoAttempt(event) ? none : [key];
  },
  learn,
  keepMs: 90 * dayMs,
};

const none: readonly string[] = [];

/**
 * A job was given secrets, and of which attempt it was is not told: GitHub's audit log does not. Every run of a house's own is
 * given some, also of what nobody has reviewed yet; where they go that never went there is said by the fact of their workflows.
 */
const isOfNoAttempt = ({ type, data }: LoggedEvent): boolean =>
  type === 'dev.cdeventsx.tripline-credential.used' &&
  (data as Attributes)['tripline.pipeline.run.attempt'] === undefined;

function learn(known: Run | undefined, event: LoggedEvent, at: LearnContext): Run | undefined {
  const data: Attributes = event.data;
  const timeMs = parseTime(event.time);
  const repository = repositoryAfter(known, data, timeMs);
  const before: Run = known ?? { id: data['cicd.pipeline.run.id']!, repository, attempts: [], deployments: [] };
  const told = isDeployment(event)
    ? withDeployment(before, event, at)
    : withAttempt(before, attemptAfter(before, event, at, timeMs), at);
  if (known !== undefined && told === known && repository === known.repository) return known;
  return repository === told.repository ? told : { ...told, repository };
}

function repositoryAfter(known: Run | undefined, data: Attributes, timeMs: number): Run['repository'] {
  const name = data['vcs.repository.name'] ?? '';
  const before = known?.repository;
  // It moves only with a new name, so that nothing is written for what is as it was.
  const isLast = before === undefined || (before.name !== name && before.toldMs <= timeMs);
  const isFirst = before === undefined || timeMs < (before.firstMs ?? before.toldMs);
  if (!isLast && !isFirst) return before;
  const firstMs = isFirst ? timeMs : (before.firstMs ?? before.toldMs);
  const firstName = isFirst ? name : (before.firstName ?? before.name);
  if (!isLast) {
    const { firstName: _, ...rest } = before;
    return { ...rest, firstMs, ...(firstName === before.name ? {} : { firstName }) };
  }
  const { 'vcs.repository.id': id, 'vcs.repository.url.full': url } = data;
  const defaultBranch = data['tripline.repository.default_branch'];
  return {
    name,
    toldMs: timeMs,
    ...(id === undefined ? {} : { id }),
    ...(url === undefined ? {} : { url }),
    ...(defaultBranch === undefined ? {} : { defaultBranch }),
    firstMs,
    ...(firstName === name ? {} : { firstName }),
  };
}

/** How findings on a run call its repository: by its name when the run was first told of, so that a renaming changes none. */
export const nameInFindings = ({ repository: { name, firstName = name } }: Run): string => firstName;

function withDeployment(run: Run, event: LoggedEvent, at: LearnContext): Run {
  const data: Attributes = event.data;
  const environment = data['deployment.environment.name'];
  if (environment === undefined) return run;
  const id = data['deployment.id'];
  const one = { ...observedBy(event), environment: clip(environment, 200), ...(id === undefined ? {} : { id }) };
  // Each job of a matrix and each attempt is a deployment of its own, and says what the first said.
  const isSame = (other: Run['deployments'][number]) => other.environment === one.environment;
  const kept = keepEarliest(run.deployments, one, isSame, deployments, at);
  return kept === run.deployments ? run : { ...run, deployments: [...kept] };
}

function withAttempt(run: Run, told: Attempt, at: LearnContext): Run {
  const place = run.attempts.findIndex(({ attempt }) => attempt === told.attempt);
  if (place >= 0) {
    const before = run.attempts[place]!;
    if (told === before) return run;
    const attempts = run.attempts.with(place, told);
    return { ...run, attempts: isSameEvent(told, before) ? attempts : attempts.sort(inOwnOrder) };
  }
  const kept = keepBounded(run.attempts, told, attempts, at);
  return kept === run.attempts ? run : { ...run, attempts: [...kept] };
}

/** What is known of the attempt once `event` was received; the same object where that adds nothing. */
function attemptAfter(run: Run, event: LoggedEvent, at: LearnContext, timeMs: number): Attempt {
  const data: Attributes = event.data;
  const number = data['tripline.pipeline.run.attempt'] ?? 1;
  const before = run.attempts.find(({ attempt }) => attempt === number);
  if (before !== undefined && isOfJob(event) && isSaidOfPlainJob(before, event.data, at)) return before;
  if (before !== undefined && isOfRun(event) && isSaidOfRun(before, event, timeMs)) return before;
  const known: Attempt = before ?? {
    ...observedBy(event),
    attempt: number,
    heardMs: at.nowMs,
    referenced: [],
    changes: [],
    secrets: [],
    jobs: [],
  };
  const own = isOfRun(event);
  const next: Attempt = { ...known };
  // A job of a run by `pull_request_target` names the base's commit, where the run's own events name the head.
  if (own && known.trigger === undefined) delete next.revision;
  // The run's own event says more than a job's; of those the earliest.
  const isBetter = own === (known.trigger !== undefined) ? isEarlier(event, known) : own;
  if (isBetter && before !== undefined) observeAnew(next, event, at);
  if (own) {
    const actor: Account | undefined = accountOf(
      data['tripline.pipeline.triggered_by'],
      data['tripline.pipeline.triggered_by_id'],
    );
    learnText(next, 'trigger', data['tripline.pipeline.trigger'] ?? 'unknown');
    learnText(next, 'path', data['tripline.pipeline.path']);
    const by = actor ?? senderOf(data);
    if (by !== undefined && !(by.id === known.actor?.id && by.login === known.actor?.login))
      next.actor = firstOf(known.actor, by)!;
    if (event.type !== 'dev.cdevents.pipelinerun.finished')
      next.startedMs = Math.min(known.startedMs ?? timeMs, timeMs);
    const isFork = data['tripline.head.fork'];
    if (isFork === true) next.fork = true;
    if (isFork !== undefined && known.headUntold === true) next.headUntold = false;
    if (isFork === undefined && known.trigger === undefined) next.headUntold = true;
    next.referenced = union(known.referenced, data['tripline.pipeline.referenced']);
    next.changes = union(known.changes, data['tripline.change.ids']);
  }
  learnText(next, 'name', data['cicd.pipeline.name']);
  if (own || next.trigger === undefined) learnText(next, 'revision', data['vcs.ref.head.revision']);
  learnText(next, 'ref', data['vcs.ref.head.name']);
  next.secrets = union(known.secrets, data['tripline.credential.secrets']);
  const keepsAll = keepsEveryJob(next, at);
  if (isOfJob(event)) next.jobs = jobsAfter(known.jobs, event, at, timeMs, keepsAll);
  else if (!keepsAll && !known.jobs.every(tells)) next.jobs = known.jobs.filter(tells);
  return before !== undefined && isSame(before, next) ? before : next;
}

/**
 * Whether jobs on machines of the provider's without an environment are kept too, which are nearly all: only of workflow files
 * that settings name, and until the run's own event says which file it is.
 */
const keepsEveryJob = ({ trigger, path }: Attempt, at: LearnContext): boolean =>
  trigger === undefined || (path !== undefined && at.wants(path.toLowerCase()));

/** Whether a plain job adds nothing to an attempt that keeps none. A third of what is received does, so nothing is made for it. */
function isSaidOfPlainJob(attempt: Attempt, data: Attributes, at: LearnContext): boolean {
  if (data['tripline.worker.hosted'] !== true || data['deployment.environment.name'] !== undefined) return false;
  if (keepsEveryJob(attempt, at) || data['tripline.credential.secrets'] !== undefined) return false;
  if (attempt.jobs.some(({ id }) => id === data['cicd.pipeline.task.run.id'])) return false;
  const { 'cicd.pipeline.name': name = attempt.name } = data;
  const { 'vcs.ref.head.name': ref = attempt.ref } = data;
  return name === attempt.name && ref === attempt.ref;
}

/**
 * Whether an event of the run itself repeats what others of it said, as its start and its end nearly always do: then nothing is
 * made for it. False also where it may, and that takes a closer look.
 */
function isSaidOfRun(attempt: Attempt, { type, data: told }: LoggedEvent, timeMs: number): boolean {
  const { trigger, path, name, revision, ref, actor, startedMs = Number.POSITIVE_INFINITY, headUntold, jobs } = attempt;
  const data: Attributes = told;
  const isLater =
    timeMs >= parseTime(attempt.time) && (type === 'dev.cdevents.pipelinerun.finished' || timeMs >= startedMs);
  if (trigger === undefined || headUntold === true || !isLater || !jobs.every(tells)) return false;
  return (
    actor !== undefined &&
    actor.login === data['tripline.pipeline.triggered_by'] &&
    actor.id === data['tripline.pipeline.triggered_by_id'] &&
    trigger === data['tripline.pipeline.trigger'] &&
    path === data['tripline.pipeline.path'] &&
    name === data['cicd.pipeline.name'] &&
    revision === data['vcs.ref.head.revision'] &&
    ref === data['vcs.ref.head.name'] &&
    (data['tripline.head.fork'] !== true || attempt.fork === true) &&
    holdsAll(attempt.referenced, data['tripline.pipeline.referenced']) &&
    holdsAll(attempt.changes, data['tripline.change.ids']) &&
    holdsAll(attempt.secrets, data['tripline.credential.secrets'])
  );
}

function jobsAfter(known: Job[], event: LoggedEvent, at: LearnContext, timeMs: number, keepsAll: boolean): Job[] {
  const data: Attributes = event.data;
  const id = data['cicd.pipeline.task.run.id']!;
  const place = known.findIndex((job) => job.id === id);
  const before: Job | undefined = known[place];
  const worker = workerAfter(before?.worker, data);
  const next: Job = before === undefined ? { ...observedBy(event), id, name: '' } : { ...before };
  next.name = smaller(before?.name || undefined, clip(data['cicd.pipeline.task.name'] ?? '', 200)) ?? '';
  // The event that names the machine says what a rule wants to tell of it.
  if (before !== undefined) {
    const names = data['tripline.worker.hosted'] !== undefined;
    const isBetter = names === (before.worker !== undefined) ? isEarlier(event, before) : names;
    if (isBetter) observeAnew(next, event, at);
  }
  if (worker !== undefined) next.worker = worker;
  const checkRunId = data['cicd.pipeline.task.check_run.id'];
  if (checkRunId !== undefined) next.checkRunId = smaller(before?.checkRunId, checkRunId)!;
  const environment = data['deployment.environment.name'];
  if (environment !== undefined) next.environment = smaller(before?.environment, clip(environment, 200))!;
  if (data['tripline.deployment.production'] === true) next.production = true;
  if (event.type !== 'dev.cdeventsx.tripline-taskrun.queued') {
    const startedAt = data['tripline.task.started_at'];
    const startedMs = startedAt === undefined ? timeMs : parseTime(startedAt);
    next.startedMs = Math.min(before?.startedMs ?? startedMs, startedMs);
  }
  if (event.type === 'dev.cdevents.taskrun.finished') next.finishedMs = Math.max(before?.finishedMs ?? 0, timeMs);
  if (before !== undefined) {
    if (isSame(before, next)) return known;
    const told = known.with(place, next);
    return isSameEvent(next, before) ? told : told.sort(inOwnOrder);
  }
  if (!keepsAll && !tells(next)) return known;
  const mine = known.every((job) => tells(job) === tells(next))
    ? known
    : known.filter((job) => tells(job) === tells(next));
  const kept = keepBounded(mine, next, tells(next) ? tellingJobs : hostedJobs, at);
  if (kept === mine) return known;
  if (mine === known) return [...kept];
  return [...kept, ...known.filter((job) => tells(job) !== tells(next))].sort(inOwnOrder);
}

const isSameEvent = (a: Observed, b: Observed): boolean => a.eventId === b.eventId && a.time === b.time;

/** Names `event` as what a line of evidence is made of. */
function observeAnew(next: Observed & Replacing, event: LoggedEvent, { pinned }: LearnContext): void {
  const told = inPlaceOf(next, observedBy(event), pinned);
  delete next.replaced;
  Object.assign(next, told);
}

/** Whether a job has more to say than that it ran on a machine of the provider's. */
const tells = (job: Job): boolean => job.worker?.hosted === false || job.environment !== undefined;
function jobId(job: Job): string {
  return job.id;
}

/** The machine that is known once `data` was received; the same object where that tells no other. */
function workerAfter(known: Job['worker'], data: Attributes): Job['worker'] {
  const hosted = data['tripline.worker.hosted'];
  if (hosted === undefined) return known;
  const { 'cicd.worker.id': id, 'tripline.worker.group.id': groupId, 'tripline.worker.group.name': groupName } = data;
  const name = clip(data['cicd.worker.name'] ?? '', 200);
  if (known !== undefined && known.id === id && known.name === name && known.groupId === groupId) return known;
  return firstOf(known, {
    name,
    hosted,
    labels: (data['tripline.worker.labels'] ?? []).slice(0, 20).map((label) => clip(label, 100)),
    ...(id === undefined ? {} : { id }),
    ...(groupId === undefined ? {} : { groupId }),
    ...(groupName === undefined ? {} : { groupName: clip(groupName, 100) }),
  });
}

/** One event of a run says what all of them say; should two differ, one is taken whatever came first. */
function learnText(
  next: Attempt,
  field: 'trigger' | 'path' | 'name' | 'revision' | 'ref',
  told: string | undefined,
): void {
  const value = smaller(next[field], told === undefined ? undefined : clip(told, 300));
  if (value !== undefined) next[field] = value;
}
const smaller = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || (b !== undefined && b !== '' && b < a) ? b : a;

function firstOf<T>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return JSON.stringify(b) < JSON.stringify(a) ? b : a;
}
const isEarlier = (event: LoggedEvent, known: Observed): boolean => parseTime(event.time) < parseTime(known.time);

function union(known: string[], told: readonly string[] | undefined): string[] {
  if (holdsAll(known, told)) return known;
  return [...new Set([...known, ...(told ?? [])])].sort().slice(0, mostListed);
}
const holdsAll = (known: readonly string[], told: readonly string[] | undefined): boolean =>
  told === undefined || told.every((one) => known.includes(one));

/** Whether nothing was learned: every field is what it was. */
function isSame<T extends object>(before: T, next: T): boolean {
  for (const name in next) if (before[name] !== next[name]) return false;
  return true;
}
