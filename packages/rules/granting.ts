import { thingKey } from '@tripline/contracts/fact';
import type { ConcludeContext, Concludes } from '@tripline/contracts/rule';
import { type BreakGlassRecord, breakGlass, recordsKeysOf } from '@tripline/facts/break-glass';
import { deliveries, deliveryKey } from '@tripline/facts/deliveries';
import { type AccessTime, accessAt, givenAccess, givenBackAt } from '@tripline/facts/given-access';
import { type Given, type Grant, type GrantAct, grantKey, grants, isAddressedKey } from '@tripline/facts/grants';
import { type Ref, refs } from '@tripline/facts/refs';
import { repositoryNames } from '@tripline/facts/repository-names';
import { type Attempt, type Job, type Run, runs } from '@tripline/facts/runs';
import { namedRepository, refKeyIn } from '@tripline/facts/things';
import { readWorkflowFile, workflowFile } from '@tripline/facts/workflow-files';
import { stretchKeys, workflowRuns } from '@tripline/facts/workflow-runs';
import { z } from 'zod';
import { account } from './accounts.ts';

/** Which workflows may grant, and when one of their jobs was at it: what both rules on grants ask. */
const hour = 3_600_000;
/** How late an event may come and still count. */
const latestMs = 72 * hour;

export const grantingSettings = z
  .strictObject({
    /**
     * Workflows that may grant, `owner/name/.github/workflows/file.yml`. Their jobs at the default branch's head open windows.
     * A name means the first repository that was heard of under it; `owner/name:id/…` says which.
     */
    grantingWorkflows: z.array(workflowFile).default([]),
    /** Under whose name they grant: apps such as `acme-broker[bot]`, or accounts as `login:id`. */
    grantingActors: z.array(account).default([]),
    /** Apps, or accounts as `login:id`, whose grants are never judged, such as an identity provider's provisioning app. */
    exemptActors: z.array(account).default([]),
    /** Apps by which the access broker alone gives people rights, `name[bot]`: what they give and it does not record is critical. */
    accessApps: z.array(account).default([]),
    /** Ids of Apps that are ours: what they are installed on is silent. */
    ownApps: z.array(z.string()).default([]),
    /** How far the provider's clocks may differ, in ms. */
    skewMs: z.number().int().min(0).default(5_000),
    /** How long after its job a window stays open, and a grant may live, in ms. */
    graceMs: z.number().int().min(0).default(60_000),
    /** How long a grant by a granting actor is held for its job to be received, in ms. */
    latenessMs: z.number().int().min(0).default(120_000),
    /** A job whose end is never received counts as ended after so long, in ms; six hours is the limit of hosted runners. */
    maxJobMs: z
      .number()
      .int()
      .min(1)
      .default(6 * hour),
  })
  .refine(({ grantingWorkflows, grantingActors }) => grantingWorkflows.length === 0 || grantingActors.length > 0, {
    path: ['grantingActors'],
    message:
      'must name under whom the workflows of grantingWorkflows grant (the login of their App, such as acme-broker[bot], or an account as login:id): what others grant while a job runs is not theirs',
  });
export type GrantingSettings = z.output<typeof grantingSettings>;
export type GrantContext = ConcludeContext<GrantingSettings>;

/** The jobs of workflows that may grant are kept whole, wherever they lie: a repository may be renamed. */
export const grantingJobs: NonNullable<Concludes<GrantingSettings>['wants']> = {
  fact: runs,
  names: ({ grantingWorkflows }) =>
    grantingWorkflows.map((workflow) => workflow.split('/').slice(2).join('/').toLowerCase()),
};

/** The subjects of rules on single grants: what changed of them, or of what the access broker gave. */
export const grantSubjects: Concludes<GrantingSettings>['subjects'] = ({ fact, key }) =>
  (fact === grants.id || fact === givenAccess.id) && !isAddressedKey(key) ? [key] : [];

/** Whether somebody stands in a list of accounts: by id, and an app by its login, compared without case. */
export function isNamed(list: readonly string[], { by, app }: Pick<GrantAct, 'by' | 'app'>): boolean {
  return list.some((entry) => {
    if (!entry.endsWith('[bot]')) return by.id !== undefined && entry.slice(entry.indexOf(':') + 1) === by.id;
    const login = entry.toLowerCase();
    return login === by.login.toLowerCase() || login === app?.toLowerCase();
  });
}

/** When an act was, by the provider. `doubtful`: it is known to have come late, and not when it was. */
export function timeOf(act: GrantAct, context: GrantContext): { ms: number; doubtful: boolean } {
  const heard = { ms: Date.parse(act.time), doubtful: false };
  if (!act.timeless) return heard;
  const delivery = context.read(deliveries, deliveryKey(act.eventId));
  if (delivery === undefined) return heard;
  if (delivery.firstAttemptAt === undefined) return { ...heard, doubtful: true };
  return { ms: Math.min(heard.ms, Date.parse(delivery.firstAttemptAt)), doubtful: false };
}

/** An authorised job during which a grant was made. */
export type Window = {
  key: string;
  /** `owner/name#run`, as people read it. */
  run: string;
  attempt: Attempt;
  job: Job;
  fromMs: number;
  /** When the job ended, or is taken to have ended. */
  closedMs: number;
  /** False while its end is only assumed. */
  ended: boolean;
};

/** The windows in which a granting actor granted something at `ms`, latest to close first. */
export function windowsAt(grant: Grant, act: GrantAct, ms: number, context: GrantContext): Window[] {
  const { settings } = context;
  if (!isNamed(settings.grantingActors, act)) return [];
  return jobsAround(grant, ms, context)
    .filter(({ fromMs, closedMs }) => ms >= fromMs - settings.skewMs && ms <= closedMs + settings.graceMs)
    .sort((a, b) => b.closedMs - a.closedMs || (a.key < b.key ? -1 : 1));
}

/** Jobs of granting workflows that may have run at `ms`, at the provider of the grant. */
export function jobsAround({ provider, instance }: Grant, ms: number, context: GrantContext): Window[] {
  const { grantingWorkflows, maxJobMs, skewMs } = context.settings;
  const found = new Map<string, Window>();
  for (const workflow of grantingWorkflows) {
    const { path, own, named } = placesOf(workflow, provider, instance, context);
    const stretches = (repository: string) =>
      stretchKeys(repository, path, ms - maxJobMs - skewMs, ms + maxJobMs + skewMs);
    for (const key of [own, named].flatMap((repository) => (repository === undefined ? [] : stretches(repository)))) {
      for (const { run } of context.read(workflowRuns, key)?.runs ?? []) {
        // Under the name others may have run what they liked.
        if (own !== undefined && !run.startsWith(`${own}#`)) continue;
        for (const window of windowsOf(run, path, context)) found.set(`${window.key} ${window.job.id}`, window);
      }
    }
  }
  return [...found.values()];
}

/**
 * Where runs of a granting workflow stand. `own`: the repository that settings mean, by the id that they give, or else the
 * first that was known by the name: whoever takes the name over does not inherit the right. Where no event told an id, the
 * name alone is left.
 */
function placesOf(workflow: string, provider: string, instance: string, { read }: Pick<GrantContext, 'read'>) {
  const { repository, id, path } = readWorkflowFile(workflow);
  const named = thingKey(provider, instance, namedRepository(repository));
  const own = id === undefined ? read(repositoryNames, named)?.repository : thingKey(provider, instance, id);
  return { path, own, named };
}

function windowsOf(key: string, path: string, context: GrantContext): Window[] {
  const run = context.read(runs, key);
  return (run?.attempts ?? []).flatMap((attempt) => {
    if (attempt.path?.toLowerCase() !== path.toLowerCase() || attempt.fork) return [];
    if (!isAtHead(key, run!, attempt, context)) return [];
    return attempt.jobs.flatMap((job) => {
      const { startedMs, finishedMs } = job;
      if (startedMs === undefined) return [];
      const closedMs = finishedMs ?? startedMs + context.settings.maxJobMs;
      const window = { key, run: `${run!.repository.name}#${run!.id}`, attempt, job };
      return [{ ...window, fromMs: startedMs, closedMs, ended: finishedMs !== undefined }];
    });
  });
}

/** A push lies so long before the run that it sets off, at most, and a run may be set off while another push comes. */
const pushedLatelyMs = 60_000;

/**
 * Whether an attempt ran the commit at which the default branch stood then. A run says a name, not whether it is a branch's
 * or a tag's; and an old run can be run again. Where nobody has heard where the branch stood, it counts unless a tag of the
 * name stood at the commit; where that was heard, and is kept no more, an old run that was run again counts for nothing.
 */
function isAtHead(runKey: string, { repository }: Run, attempt: Attempt, context: GrantContext): boolean {
  const { ref, revision, startedMs } = attempt;
  if (ref === undefined || revision === undefined || ref !== (repository.defaultBranch ?? ref)) return false;
  const byId = runKey.slice(0, runKey.lastIndexOf('#'));
  const byName = thingKey(...placeOf(byId), namedRepository(repository.name));
  const atMs = startedMs ?? Date.parse(attempt.time);
  // An inventory may have named the repository alone.
  const known = [byId, byName].flatMap((key) => context.read(refs, refKeyIn(key, 'branch', ref)) ?? []);
  const { heads, isWhole } = headsAround(known, atMs, context.settings.skewMs);
  if (heads.includes(revision)) return true;
  if (heads.length > 0 && (isWhole || attempt.attempt > 1)) return false;
  const tag = context.read(refs, refKeyIn(byId, 'tag', ref));
  return tag === undefined || !tag.moves.some(({ after }) => after === revision);
}

function placeOf(key: string): [provider: string, instance: string] {
  const [provider, instance] = key.split(':', 2);
  return [provider!, instance!];
}

/**
 * Where a branch stood at a time, or shortly before; empty where that is not known. `isWhole`: nothing that is kept says that
 * it stood elsewhere too, as the next move does where it begins at none of these: of a busy branch the latest are kept.
 */
function headsAround(known: readonly Ref[], ms: number, skewMs: number): { heads: string[]; isWhole: boolean } {
  const stands = known
    .flatMap(({ moves, stood }) => [
      ...moves.map(({ time, before, after }) => ({ ms: Date.parse(time), before, revision: after })),
      ...stood.map(({ time, revision }) => ({ ms: Date.parse(time), before: revision, revision })),
    ])
    .sort((a, b) => a.ms - b.ms);
  const lately = stands.filter((one) => one.ms > ms - pushedLatelyMs && one.ms <= ms + skewMs);
  const stood = stands.findLast((one) => one.ms <= ms - pushedLatelyMs)?.revision;
  const before = stood ?? known.find(({ first }) => first !== undefined)?.first?.before;
  const heads = [...(before === undefined ? [] : [before]), ...lately.map(({ revision }) => revision)];
  const next = stands.find((one) => one.ms > ms + skewMs)?.before;
  return { heads, isWhole: next === undefined || heads.includes(next) };
}

/**
 * What the access broker gave the same account on the same thing, which is no less than the act gives, for a time in which it lies.
 * It stands under the grant's own key, so that a change of it asks the grant's subject, and a thousand grants watch nothing.
 */
export function accessFor(
  grant: Grant,
  act: Given,
  ms: number,
  { settings, read }: GrantContext,
): (AccessTime & { key: string }) | undefined {
  const on = { kind: grant.kind, target: act.target, targetId: grant.targetId };
  const key = grantKey(grant, on, { id: grant.granteeId, name: act.grantee });
  const time = accessAt(read(givenAccess, key), { permission: act.permission, ms, skewMs: settings.skewMs });
  return time && { ...time, key };
}

/** The access of the broker's, with whose end the account has again what it held before: a role of one's own ranks above all others, and is no more than that. */
export function givenBackFor(grant: Grant, act: Given, ms: number, { settings, read }: GrantContext) {
  const on = { kind: grant.kind, target: act.target, targetId: grant.targetId };
  const key = grantKey(grant, on, { id: grant.granteeId, name: act.grantee });
  return givenBackAt(read(givenAccess, key), { permission: act.permission, ms, skewMs: settings.skewMs });
}

/** The break-glass record, heard of before the act, under which it was done: the one that ends last. */
export function recordFor(act: Given, ms: number, context: GrantContext): BreakGlassRecord | undefined {
  const heard = Math.min(...act.tellings.map(({ offset }) => offset));
  return recordsKeysOf(act.by)
    .flatMap((key) => context.read(breakGlass, key)?.records ?? [])
    .filter(({ fromMs, toMs, offset }) => offset < heard && ms >= fromMs && ms <= toMs)
    .sort((a, b) => b.toMs - a.toMs)[0];
}

/**
 * When to look again for events that may still come: after each doubling of the time since `sinceMs`, and once more before
 * 72 hours are over, as long as doubts about deliveries are remembered. Nothing is watched for it, so that a thousand grants
 * of one job cost a thousand times one.
 */
export function recheckLate(sinceMs: number, context: GrantContext): void {
  const { nowMs, settings } = context;
  const lastMs = sinceMs + latestMs - 1000;
  let ms = sinceMs + Math.max(settings.latenessMs, 1000);
  while (ms <= nowMs) ms = sinceMs + (ms - sinceMs) * 2;
  if (nowMs < lastMs) context.recheckAt(Math.min(ms, lastMs));
}

/** When to look whether a job has ended: each grace while it is young, seldom while it is old, no more once it counts as ended. */
export function recheckWindow({ fromMs, closedMs }: Window, context: GrantContext): void {
  const { nowMs, settings } = context;
  const lastMs = closedMs + settings.graceMs;
  if (nowMs >= lastMs) recheckLate(fromMs, context);
  else context.recheckAt(Math.min(nowMs + Math.max(settings.graceMs, 1000, (nowMs - fromMs) / 20), lastMs));
}
