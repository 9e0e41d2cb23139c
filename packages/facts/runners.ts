import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { acceptedIn, acceptedSchema, newerAct, teaches } from './acceptance.ts';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { credentialsUsed } from './credentials.ts';
import { observedSchema } from './observed.ts';
import { hostedJob, readRunnerKey, runnerClassKeyOf, runnerKeyOf, sortedLabels } from './runner-keys.ts';
import { onceAnEvent, runKeyOf, runNameOf } from './things.ts';

const dayMs = 86_400_000;

/** Where an inventory has the runner: in an organisation's group, or in one repository. */
const listingSchema = observedSchema.extend({
  heardMs: z.number(),
  ownerId: z.string().optional(),
  groupId: z.string().optional(),
  /** Of a repository's runner alone. */
  repository: z.string().optional(),
  repositoryId: z.string().optional(),
});
/** That somebody registered it, which only a feed of audit records tells. */
const registrationSchema = observedSchema.extend({
  heardMs: z.number(),
  by: z.string().optional(),
  byId: z.string().optional(),
  registeredMs: z.number(),
  /** For one job only, by the way in which it was registered. */
  singleUse: z.literal(true).optional(),
});
/** A job that it took, or a credential used on it. */
const workSchema = observedSchema.extend({
  heardMs: z.number(),
  /** Full names, and ids where they were told. */
  repository: z.string(),
  repositoryId: z.string().optional(),
  owner: z.string(),
  ownerId: z.string().optional(),
  /** The key of its run in the fact `runs`, as findings name it (`owner/name#run`), and its attempt; absent where a feed names none. */
  runKey: z.string().optional(),
  run: z.string().optional(),
  attempt: z.number(),
  job: z.string().optional(),
  pipeline: z.string().optional(),
  environment: z.string().optional(),
  /** What a feed saw it use, as `credentialsUsed` names it. */
  credentials: z.array(z.string()),
  groupId: z.string().optional(),
  /** Those that the job asked for, sorted. */
  labels: z.array(z.string()),
  /** The key of its class in the fact `runner-classes`. */
  classKey: z.string().optional(),
});
export const runnerSchema = z.object({
  id: z.string(),
  name: z.string(),
  listings: z.array(listingSchema),
  registrations: z.array(registrationSchema),
  work: z.array(workSchema),
  /** The work by which it may have become usual: the first that was received. */
  early: z.array(workSchema),
  /** Ids of two jobs at most: a runner that takes one and is gone is a pool's. */
  jobs: z.array(z.string()),
  accepted: acceptedSchema.optional(),
  /** The day of its last work, ms: what is not used is forgotten. */
  lastDayMs: z.number(),
});
export type Runner = z.infer<typeof runnerSchema>;
export type Listing = z.infer<typeof listingSchema>;
export type Work = z.infer<typeof workSchema>;
export type Registration = z.infer<typeof registrationSchema>;

const reads = [
  'dev.cdeventsx.tripline-inventory.observed',
  'dev.cdeventsx.tripline-runner.registered',
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
  'dev.cdeventsx.tripline-credential.used',
  'dev.cdeventsx.tripline-act.performed',
] as const satisfies readonly EventType[];
const isInventory = eventIs('dev.cdeventsx.tripline-inventory.observed');
const isRegistration = eventIs('dev.cdeventsx.tripline-runner.registered');
const isTask = eventIs('dev.cdevents.taskrun.started', 'dev.cdevents.taskrun.finished');
const isAct = eventIs('dev.cdeventsx.tripline-act.performed');

/** Who sets off jobs chooses the names of environments and workflows; the first of each are kept, with and without credentials apart. */
const most = {
  // Repositories have more workflows than environments, and what runs without credentials is rarely asked after.
  work: { ofRepository: 200, all: 500 },
  workWithCredentials: { ofRepository: 50, all: 300 },
  ...{ early: 3, listings: 20, registrations: 5 },
} as const;

export const runners: Fact<Runner> = {
  id: 'runners',
  description:
    'A self-hosted runner, by its number and name: where inventories have it (organisation, group, repository), who registered it where a feed tells, the first work in each group, repository, environment and workflow, and whether a person accepted it. ' +
    'Machines of the provider’s own are none; see runner-groups.',
  reads,
  passesOver: { 'dev.cdevents.taskrun.started': hostedJob, 'dev.cdevents.taskrun.finished': hostedJob },
  value: runnerSchema,
  keys,
  learn,
  keepMs: 90 * dayMs,
};

function keys(event: LoggedEvent): readonly string[] {
  const data: Attributes = event.data;
  if (isInventory(event)) return [...listedIn(event).keys()];
  if (isAct(event)) return teaches(data, (id) => readRunnerKey(id) !== undefined);
  const id = data['cicd.worker.id'];
  if (id === undefined || data['tripline.worker.hosted'] === true) return [];
  return [runnerKeyOf(event, id, data['cicd.worker.name'] ?? '')];
}

/** By the key of each runner in an inventory, where it has it. */
const listedIn = onceAnEvent((event) =>
  Map.groupBy((event.data as Attributes)['tripline.inventory.runners'] ?? [], ({ id, name }) =>
    runnerKeyOf(event, id, name),
  ),
);

function learn(known: Runner | undefined, event: LoggedEvent, at: LearnContext): Runner | undefined {
  const { id, name } = readRunnerKey(at.key)!;
  const before: Runner = known ?? {
    ...{ id, name, listings: [], registrations: [], work: [], early: [], jobs: [], lastDayMs: 0 },
  };
  const after = learnOf(before, event, at);
  return after === before ? known : after;
}

function learnOf(before: Runner, event: LoggedEvent, at: LearnContext): Runner {
  if (isAct(event)) {
    const accepted = newerAct(before.accepted, acceptedIn(event, at.nowMs), at.pinned);
    return accepted === before.accepted ? before : { ...before, accepted };
  }
  if (isInventory(event)) return withListings(before, event, at);
  if (isRegistration(event)) return withRegistration(before, event, at);
  return withWork(before, event, at);
}

/** Of each place the first listing, since what is known does not become more so; the newest places stay. */
function withListings(before: Runner, event: LoggedEvent, at: LearnContext): Runner {
  let listings: readonly Listing[] = before.listings;
  for (const { id, ownerId, groupId, repository, repositoryId } of listedIn(event).get(at.key) ?? []) {
    if (id !== before.id) continue;
    const same = listings.find(
      (other) =>
        other.ownerId === ownerId &&
        other.groupId === groupId &&
        (other.repositoryId ?? other.repository) === (repositoryId ?? repository),
    );
    if (same !== undefined && inOwnOrder(same, { time: event.time, eventId: event.id }) <= 0) continue;
    const place = defined({ ownerId, groupId, repository, repositoryId });
    const first = inPlaceOf(same, { ...observedBy(event), heardMs: at.nowMs, ...place }, at.pinned);
    const others = same === undefined ? listings : listings.filter((other) => other !== same);
    const all = others.length === 0 ? [first] : [...others, first].sort(inOwnOrder);
    const tooMany = all.length - most.listings;
    listings = tooMany <= 0 ? all : all.filter(({ eventId }, nth) => nth >= tooMany || at.pinned.has(eventId));
  }
  const lastDayMs = dayOf(event, before);
  if (listings === before.listings && lastDayMs === before.lastDayMs) return before;
  return { ...before, listings: [...listings], lastDayMs };
}

function withRegistration(before: Runner, event: LoggedEvent, at: LearnContext): Runner {
  const data: Attributes = event.data;
  if (before.registrations.some(({ eventId }) => eventId === event.id)) return before;
  const by = data['tripline.runner.registered_by'] ?? data['user.name'];
  // The event's sender is who registered it only where the feed says nobody else.
  const byId = by === data['user.name'] ? data['user.id'] : undefined;
  const one: Registration = {
    ...observedBy(event),
    heardMs: at.nowMs,
    registeredMs: parseTime(data['tripline.runner.registered_at'] ?? event.time),
    ...defined({ by, byId }),
    ...(data['tripline.runner.single_use'] === true ? { singleUse: true as const } : {}),
  };
  const sorted = [...before.registrations, one].sort((a, b) => a.registeredMs - b.registeredMs || inOwnOrder(a, b));
  const kept = sorted.filter(
    ({ eventId }, place) => place >= sorted.length - most.registrations || at.pinned.has(eventId),
  );
  return { ...before, registrations: kept };
}

function withWork(before: Runner, event: LoggedEvent, at: LearnContext): Runner {
  const data: Attributes = event.data;
  const job = data['cicd.pipeline.task.run.id'];
  const next: Runner = { ...before, lastDayMs: dayOf(event, before) };
  const one = workOf(event, before.name, at.nowMs);
  // What a job without any credential of its own does on another branch says nothing of what is usual.
  const isTelling = one.environment !== undefined || one.credentials.length > 0 || isOnDefaultBranch(data);
  if (isTelling && mayBeEarly(before, one)) next.early = earliest(before.early, one);
  next.work = keptWork(before, one, at);
  if (job !== undefined && before.jobs.length < 2 && !before.jobs.includes(job))
    next.jobs = [...before.jobs, job].sort();
  const isSame =
    next.work === before.work &&
    next.early === before.early &&
    next.jobs === before.jobs &&
    next.lastDayMs === before.lastDayMs;
  return isSame ? before : next;
}

function workOf(event: LoggedEvent, name: string, heardMs: number): Work {
  const data: Attributes = event.data;
  const repository = data['vcs.repository.name'] ?? '';
  const environment = data['deployment.environment.name'];
  const job = data['cicd.pipeline.task.name'] ?? data['cicd.pipeline.task.run.id'];
  const pipeline = data['cicd.pipeline.name'];
  const optional = {
    repositoryId: data['vcs.repository.id'],
    ownerId: data['vcs.owner.id'],
    runKey: runKeyOf(event),
    run: runNameOf(event),
    job: job === undefined ? undefined : clip(job, 200),
    pipeline: pipeline === undefined ? undefined : clip(pipeline, 200),
    environment: environment === undefined ? undefined : clip(environment, 200),
    groupId: data['tripline.worker.group.id'],
    classKey: runnerClassKeyOf(event, name),
  };
  return {
    ...observedBy(event),
    heardMs,
    repository,
    owner: data['vcs.owner.name'] ?? (repository.split('/')[0] || event.workspace),
    attempt: data['tripline.pipeline.run.attempt'] ?? 1,
    credentials: isTask(event) ? [] : credentialsUsed(event),
    labels: sortedLabels(data['tripline.worker.labels'] ?? [])
      .slice(0, 20)
      .map((label) => clip(label, 100)),
    ...defined(optional),
  };
}

const isOnDefaultBranch = (data: Attributes): boolean =>
  data['vcs.ref.head.name'] !== undefined && data['vcs.ref.head.name'] === data['tripline.repository.default_branch'];

/** Whether two jobs are alike: on the same side of every question that a rule asks of where a runner worked. */
function isAlike(a: Work, b: Work): boolean {
  return (
    (a.repositoryId ?? a.repository) === (b.repositoryId ?? b.repository) &&
    a.groupId === b.groupId &&
    a.classKey === b.classKey &&
    a.environment === b.environment &&
    (a.environment !== undefined || a.pipeline === b.pipeline) &&
    a.credentials.length === b.credentials.length &&
    a.credentials.every((credential, place) => credential === b.credentials[place])
  );
}
export const hasCredential = ({ environment, credentials }: Work): boolean =>
  environment !== undefined || credentials.length > 0;

/** Of each context the first work and, of what was given credentials, the first of its last day and the first after each registration. */
function keptWork(before: Runner, one: Work, at: LearnContext): Work[] {
  const same = before.work.filter((work) => isAlike(work, one));
  if (same.some(({ eventId }) => eventId === one.eventId)) return before.work;
  const all = [...same, one].sort(inOwnOrder);
  const kept = new Set(all.filter(({ eventId }) => at.pinned.has(eventId)));
  kept.add(all[0]!);
  if (hasCredential(one)) {
    const lastDay = dayMsOf(all.at(-1)!);
    kept.add(all.find((work) => dayMsOf(work) === lastDay)!);
    for (const { registeredMs } of before.registrations) {
      const after = all.find(({ time }) => parseTime(time) >= registeredMs);
      if (after !== undefined) kept.add(after);
    }
  }
  if (kept.size === same.length && !kept.has(one)) return before.work;
  const unlike = before.work.filter((work) => !same.includes(work));
  const work = bounded([...unlike, ...kept].sort(inOwnOrder), at);
  // What is one too many says nothing new, and writes nothing.
  return work.length === before.work.length && !work.includes(one) ? before.work : work;
}

/** The first stay: more of the like says no more, and what stands is not pushed out. */
function bounded(work: Work[], at: LearnContext): Work[] {
  const counts = new Map<string, number>();
  return work.filter((one) => {
    if (at.pinned.has(one.eventId)) return true;
    const isGiven = hasCredential(one);
    const kind = isGiven ? 'work with credentials' : 'work';
    const { ofRepository, all } = isGiven ? most.workWithCredentials : most.work;
    const [total, here] = [counts.get(kind) ?? 0, counts.get(`${kind} ${one.repository}`) ?? 0];
    if (here >= ofRepository) at.flooded(kind, one.repository);
    else if (total >= all) at.flooded(kind, 'many');
    else {
      counts.set(kind, total + 1).set(`${kind} ${one.repository}`, here + 1);
      return true;
    }
    return false;
  });
}

function mayBeEarly({ early }: Runner, one: Work): boolean {
  if (early.some(({ eventId }) => eventId === one.eventId)) return false;
  return early.length < most.early || one.heardMs <= early.at(-1)!.heardMs;
}
function earliest(early: Work[], one: Work): Work[] {
  const sorted = [...early, one].sort((a, b) => a.heardMs - b.heardMs || inOwnOrder(a, b));
  const runs = new Set<string | undefined>();
  const kept = sorted
    .filter(({ runKey }) => runKey === undefined || (!runs.has(runKey) && runs.add(runKey)))
    .slice(0, most.early);
  return kept.length === early.length && kept.every((work, place) => work === early[place]) ? early : kept;
}

const dayMsOf = ({ time }: { time: string }): number => Math.floor(parseTime(time) / dayMs) * dayMs;
const dayOf = (event: LoggedEvent, { lastDayMs }: Runner): number => Math.max(lastDayMs, dayMsOf(event));

/** Without what is undefined. */
function defined<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: Record<string, unknown> = {};
  for (const name in fields) if (fields[name] !== undefined) kept[name] = fields[name];
  return kept as { [K in keyof T]?: Exclude<T[K], undefined> };
}
