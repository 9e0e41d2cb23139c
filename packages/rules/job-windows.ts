import type { Attributes } from '@tripline/contracts/attributes';
import { eventIs, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { evidenceSchema } from '@tripline/contracts/finding';
import { z } from 'zod';
import { type Grant, grantOf, grantSchema, sameGrant } from './grants.ts';
import { hasLogin, sameLogin, tell } from './story.ts';

/**
 * What is known of access in a workspace: the broker's jobs, the grants, their removals and break-glass records. Both
 * rules on grants keep one such value and conclude from it alone, so that the order in which its facts arrived does
 * not matter. Times are the events' own.
 */
const hour = 3_600_000;
/** How late an event may come and still count. */
export const latestMs = 72 * hour;
/** An invitation can be accepted for seven days, and the membership is then judged by it. */
const invitationMs = 8 * 24 * hour;
/**
 * Bounds of the lists. Beyond them the oldest is forgotten: a forgotten grant that was held is judged at that moment,
 * a forgotten run or removal can no longer explain a late event.
 */
export const caps = { runs: 200, jobs: 20, grants: 100, removals: 200, requests: 50, breakGlass: 100 } as const;
/** Records that one person may have open; of more, those that end last. Of others' none is pushed out. */
const breakGlassEach = 4;
/** A record explains a day at most, whatever it says. */
const longestBreakGlassMs = 24 * hour;

export const windowSettings = z.strictObject({
  /** Workflows that may grant, `owner/name/.github/workflows/file.yml`. Their jobs on the default branch open windows. */
  brokers: z.array(z.string().regex(/^[^/\s]+\/[^/\s]+\/.+$/, 'owner/name/path/of/workflow.yml')).default([]),
  /** Logins under which the broker's jobs act, such as `acme-broker[bot]`. */
  brokerActors: z.array(z.string()).default([]),
  /** Logins whose grants are never judged, such as an identity provider's provisioning app. */
  exemptActors: z.array(z.string()).default([]),
  /** How far the provider's clocks may differ, in ms. */
  skewMs: z.number().int().min(0).default(5_000),
  /** How long after its job a window stays open, and a grant may live, in ms. */
  graceMs: z.number().int().min(0).default(60_000),
  /** How long a grant is held for the broker's job to be heard of, in ms. */
  latenessMs: z.number().int().min(0).default(120_000),
  /** A job whose end is never heard of counts as ended after so long, in ms; six hours is the limit of hosted runners. */
  maxJobMs: z
    .number()
    .int()
    .min(1)
    .default(6 * hour),
});
export type WindowSettings = z.output<typeof windowSettings>;

const jobSchema = z.object({
  id: z.string(),
  name: z.string(),
  fromMs: z.number(),
  /** Null while its end has not been heard of. */
  toMs: z.number().nullable(),
  /** False when the source told of it only once it had finished. */
  startSeen: z.boolean(),
  started: evidenceSchema.optional(),
  finished: evidenceSchema.optional(),
});
const runSchema = z.object({
  /** `owner/name#run-id`. */
  id: z.string(),
  /** Whether it runs a broker's workflow; null while only its jobs have been heard of. */
  broker: z.boolean().nullable(),
  actors: z.array(z.string()),
  jobs: z.array(jobSchema),
});
const breakGlassSchema = z.object({
  id: z.string(),
  actor: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  evidence: evidenceSchema,
});
export const heldGrantSchema = grantSchema.extend({
  /** The record under which it was made, among those that had been heard of before it: none is retroactive. */
  breakGlass: breakGlassSchema.optional(),
  /** Log time at which it was heard of. */
  heardMs: z.number(),
  /** Whether a finding stands on it. */
  fired: z.boolean(),
});
export const accessSchema = z.object({
  runs: z.array(runSchema),
  grants: z.array(heldGrantSchema),
  removals: z.array(grantSchema),
  /** Tokens that were asked for: the story before their approval. */
  requests: z.array(grantSchema),
  breakGlass: z.array(breakGlassSchema),
});
export type Access = z.infer<typeof accessSchema>;
export type HeldGrant = z.infer<typeof heldGrantSchema>;
type Run = Access['runs'][number];
type Job = Run['jobs'][number];
export type BreakGlass = Access['breakGlass'][number];

export const noAccess: Access = { runs: [], grants: [], removals: [], requests: [], breakGlass: [] };
export const accessKey = 'access';
/** How long the value is kept when nothing more happens. */
export const accessKeepMs = invitationMs;

export const accessReads = [
  'dev.cdeventsx.tripline-grant.added',
  'dev.cdeventsx.tripline-grant.changed',
  'dev.cdeventsx.tripline-grant.removed',
  'dev.cdeventsx.tripline-credential.requested',
  'dev.cdevents.pipelinerun.queued',
  'dev.cdevents.pipelinerun.started',
  'dev.cdevents.pipelinerun.finished',
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
  'dev.cdeventsx.tripline-breakglass.opened',
] as const;

const isRunOrJob = eventIs(
  'dev.cdevents.pipelinerun.queued',
  'dev.cdevents.pipelinerun.started',
  'dev.cdevents.pipelinerun.finished',
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
);
const nothing: readonly string[] = [];

/** The keys of both rules: grants and records always, runs and jobs only in a repository of a broker. */
export function accessKeys(event: LoggedEvent, settings: WindowSettings): readonly string[] {
  if (isRunOrJob(event)) {
    if (settings.brokers.length === 0) return nothing;
    const repository = (event.data as Attributes)['vcs.repository.name'];
    return settings.brokers.some((broker) => broker.startsWith(`${repository}/`)) ? [accessKey] : [];
  }
  if (event.type === 'dev.cdeventsx.tripline-breakglass.opened') return [accessKey];
  return grantOf(event) === undefined ? [] : [accessKey];
}

/** What is known once `event` has been heard of at `nowMs` of the log's time. */
export function learnAccess(access: Access, event: LoggedEvent, settings: WindowSettings, nowMs: number): Access {
  if (
    isEvent(
      event,
      'dev.cdevents.pipelinerun.queued',
      'dev.cdevents.pipelinerun.started',
      'dev.cdevents.pipelinerun.finished',
    )
  ) {
    return changeRun(access, event, (run) => learnRun(run, event, settings));
  }
  if (isEvent(event, 'dev.cdevents.taskrun.started', 'dev.cdevents.taskrun.finished')) {
    return changeRun(access, event, (run) => learnJob(run, event));
  }
  if (isEvent(event, 'dev.cdeventsx.tripline-breakglass.opened')) {
    // Whoever can send unsigned records could excuse themselves.
    if (event.trust !== 'high') return access;
    const record = {
      id: event.data['tripline.breakglass.id'],
      actor: event.data['tripline.breakglass.actor'],
      fromMs: Date.parse(event.time),
      toMs: Math.min(
        Date.parse(event.data['tripline.breakglass.expires_at']),
        Date.parse(event.time) + longestBreakGlassMs,
      ),
      evidence: tell(
        event,
        `${event.data['tripline.breakglass.actor']} opened break-glass: ${event.data['tripline.breakglass.reason']}`,
      ),
    };
    return { ...access, breakGlass: withRecord(access.breakGlass, record, nowMs) };
  }
  const grant = grantOf(event);
  if (grant === undefined) return access;
  if (event.type === 'dev.cdeventsx.tripline-grant.removed') {
    const removals = access.removals.filter((known) => known.timeMs > nowMs - invitationMs);
    return { ...access, removals: newest([...removals, grant], caps.removals, (known) => known.timeMs) };
  }
  if (event.type === 'dev.cdeventsx.tripline-credential.requested') {
    return { ...access, requests: newest([...access.requests, grant], caps.requests, (known) => known.timeMs) };
  }
  const grants = access.grants.filter((known) => known.heardMs > nowMs - keepGrantMs(known));
  const breakGlass = breakGlassFor(access, grant);
  const held = { ...grant, heardMs: nowMs, fired: false, ...(breakGlass === undefined ? {} : { breakGlass }) };
  return { ...access, grants: [...grants, held] };
}

/** The records that may still explain a grant, with one more, unless there are as many as are remembered. */
function withRecord(known: readonly BreakGlass[], record: BreakGlass, nowMs: number): BreakGlass[] {
  const open = known.filter(({ id, toMs }) => id !== record.id && toMs > nowMs - latestMs);
  const isTheirs = ({ actor }: BreakGlass) => sameLogin(actor, record.actor);
  const others = open.filter((one) => !isTheirs(one));
  if (others.length >= caps.breakGlass) return open;
  return [...others, ...newest([...open.filter(isTheirs), record], breakGlassEach, ({ toMs }) => toMs)];
}

/** The record, among those heard of so far, under which `grant` is made: the one that ends last. */
function breakGlassFor(access: Access, grant: Grant): BreakGlass | undefined {
  const covering = access.breakGlass.filter(
    ({ actor, fromMs, toMs }) => sameLogin(actor, grant.actor) && grant.timeMs >= fromMs && grant.timeMs <= toMs,
  );
  return newest(covering, 1, ({ toMs }) => toMs)[0];
}

function keepGrantMs(grant: HeldGrant): number {
  return grant.kind === 'org-invitation' ? invitationMs : 2 * latestMs;
}

function changeRun(access: Access, event: LoggedEvent, change: (run: Run) => Run): Access {
  const data: Attributes = event.data;
  const id = `${data['vcs.repository.name']}#${data['cicd.pipeline.run.id']}`;
  const known = access.runs.find((run) => run.id === id) ?? { id, broker: null, actors: [], jobs: [] };
  const runs = [...access.runs.filter((run) => run.id !== id), change(known)];
  // Runs that open no window go first.
  const rank = (run: Run) => (run.broker === true ? 1 : 0);
  return { ...access, runs: newest(runs, caps.runs, (run, at) => rank(run) * runs.length + at) };
}

function learnRun(run: Run, event: LoggedEvent, settings: WindowSettings): Run {
  const data: Attributes = event.data;
  const workflow = `${data['vcs.repository.name']}/${data['tripline.pipeline.path']}`;
  // The same path on another branch, or from a fork, is a file that its pusher wrote.
  const onDefault =
    data['vcs.ref.head.name'] === data['tripline.repository.default_branch'] && data['tripline.head.fork'] !== true;
  const broker = settings.brokers.includes(workflow) && onDefault;
  const actors = broker ? withLogins(run.actors, data['tripline.pipeline.triggered_by'], data['user.name']) : [];
  return { ...run, broker, actors, jobs: broker ? run.jobs : [] };
}

function learnJob(run: Run, event: LoggedEvent): Run {
  if (run.broker === false) return run;
  const data: Attributes = event.data;
  const id = data['cicd.pipeline.task.run.id']!;
  const finished = event.type === 'dev.cdevents.taskrun.finished';
  const known = run.jobs.find((job) => job.id === id);
  const name = data['cicd.pipeline.task.name'] ?? id;
  const startedAt = data['tripline.task.started_at'] ?? (finished ? undefined : event.time);
  const job: Job = {
    id,
    name,
    fromMs: startedAt === undefined ? (known?.fromMs ?? Date.parse(event.time)) : Date.parse(startedAt),
    toMs: finished ? Date.parse(data['tripline.task.completed_at'] ?? event.time) : (known?.toMs ?? null),
    startSeen: !finished || (known?.startSeen ?? false),
    // Whoever told it first is believed: what is sent again must not make unproven what rests on the job.
    [finished ? 'finished' : 'started']: tell(
      event,
      `The broker's job ${name} of ${run.id} ${finished ? 'finished' : 'started'}`,
    ),
    ...(known?.started ? { started: known.started } : {}),
    ...(known?.finished ? { finished: known.finished } : {}),
  };
  const jobs = [...run.jobs.filter((other) => other.id !== id), job];
  return { ...run, actors: withLogins(run.actors, data['user.name']), jobs: jobs.slice(-caps.jobs) };
}

function withLogins(actors: readonly string[], ...logins: (string | undefined)[]): string[] {
  const all = [...actors];
  for (const login of logins) if (login !== undefined && !hasLogin(all, login)) all.push(login);
  return all.sort().slice(0, 5);
}

/** The `count` greatest by `order`, in their former order. */
function newest<T>(items: readonly T[], count: number, order: (item: T, at: number) => number): T[] {
  if (items.length <= count) return [...items];
  const kept = new Set(
    items
      .map((item, at) => ({ at, by: order(item, at) }))
      .sort((a, b) => b.by - a.by)
      .slice(0, count)
      .map(({ at }) => at),
  );
  return items.filter((_, at) => kept.has(at));
}

/** An authorised job during which a grant was made. */
export type Window = {
  run: string;
  job: Job;
  /** When the job ended, or is taken to have ended. */
  closedMs: number;
  /** False while its end is only assumed. */
  ended: boolean;
};

/** The windows in which `grant` was made, latest to close first. */
export function windowsOf(access: Access, grant: HeldGrant, settings: WindowSettings): Window[] {
  return access.runs
    .filter((run) => run.broker === true && run.jobs.length > 0)
    .filter((run) =>
      [grant.actor, grant.app].some((login) => hasLogin([...run.actors, ...settings.brokerActors], login)),
    )
    .flatMap((run) =>
      run.jobs.map((job) => ({
        run: run.id,
        job,
        closedMs: job.toMs ?? job.fromMs + settings.maxJobMs,
        ended: job.toMs !== null,
      })),
    )
    .filter(
      ({ job, closedMs }) =>
        grant.timeMs >= job.fromMs - settings.skewMs && grant.timeMs <= closedMs + settings.graceMs,
    )
    .sort((a, b) => b.closedMs - a.closedMs);
}

/** The invitation that `grant`, a membership, accepted. */
export function invitationOf(access: Access, grant: HeldGrant, settings: WindowSettings): HeldGrant | undefined {
  if (grant.kind !== 'org-member') return undefined;
  return access.grants.find(
    (other) =>
      other.kind === 'org-invitation' && sameGrant(other, grant) && other.timeMs <= grant.timeMs + settings.skewMs,
  );
}

/** The request that `grant`, a token's approval, answered. */
export function requestOf(access: Access, grant: HeldGrant): Access['requests'][number] | undefined {
  return access.requests.find((request) => request.id !== undefined && request.id === grant.id);
}

/** The removals of `grant` that followed it, by time. */
export function removalsOf(access: Access, grant: HeldGrant): Access['removals'] {
  return access.removals
    .filter((removal) => sameGrant(removal, grant) && removal.timeMs >= grant.timeMs)
    .sort((a, b) => a.timeMs - b.timeMs);
}
