import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { evidenceSchema } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { hasLogin, shortSha, tell } from './story.ts';

/** What build-from-unreviewed-commit knows of one commit, and what it concludes from it. */
export const buildSettings = z.strictObject({
  /** Logins whose pushes need no review, such as a release bot's. */
  exemptActors: z.array(z.string()).default([]),
  /** Branch and tag names, `*` allowed, on which nothing is judged. */
  exemptRefs: z.array(z.string()).default([]),
  /** Environments that anybody may deploy to, such as `preview`; `*` allowed. */
  exemptEnvironments: z.array(z.string()).default([]),
  /** Workflows known to use secrets, `owner/name/.github/workflows/file.yml`. */
  secretWorkflows: z.array(z.string()).default([]),
  /** What a run of a pull request may have without being found; a house with self-hosted runners only will want `self-hosted`. */
  pullRequestsMay: z.array(z.enum(['self-hosted', 'environment', 'secrets'])).default([]),
  /** How long a commit that may yet be explained is held, in ms. */
  holdMs: z.number().int().min(0).default(10_000),
});
export type BuildSettings = z.output<typeof buildSettings>;

const pushSchema = z.object({
  ref: z.string(),
  type: z.enum(['branch', 'tag']),
  timeMs: z.number(),
  pusher: z.string(),
  /** The provider's own merges bear `web-flow`. */
  committer: z.string(),
  /** CI files that the push changed. */
  ciPaths: z.array(z.string()),
  evidence: evidenceSchema,
});
const runSchema = z.object({
  id: z.string(),
  attempt: z.number(),
  name: z.string(),
  ref: z.string(),
  /** Absent until an event of the run itself, not only of its jobs, was heard of. */
  trigger: z.string().optional(),
  path: z.string().optional(),
  actor: z.string().optional(),
  fork: z.boolean(),
  protectedRef: z.boolean(),
  environments: z.array(z.string()),
  selfHosted: z.boolean(),
  /** Secrets were seen being handed to it. */
  secrets: z.boolean(),
  /** Its workflow is known to use secrets. */
  knownSecrets: z.boolean(),
  timeMs: z.number(),
  /** When it is decided at the latest, by the log's time. */
  dueMs: z.number(),
  fired: z.boolean(),
  trust: z.enum(['high', 'medium', 'low']),
  evidence: z.array(evidenceSchema),
});
export const commitSchema = z.object({
  /** Why it counts as reviewed without a review: it was there before Tripline. */
  trusted: z.string().optional(),
  /** The push with which it is covered: one commit of a rebased change. */
  coveredBy: z.string().optional(),
  pushes: z.array(pushSchema),
  /** The other commits that came in the push of this one. */
  carried: z.array(z.string()),
  /** By change: `merged` when the change brought it in and was approved, `approved` when only approved so far, `unapproved` when merged without. */
  changes: z.record(z.string(), z.enum(['merged', 'approved', 'unapproved'])),
  answer: z.enum(['reviewed', 'unreviewed', 'unavailable']).optional(),
  runs: z.array(runSchema),
});
export type Commit = z.infer<typeof commitSchema>;
export type Run = z.infer<typeof runSchema>;

export const unknownCommit: Commit = { pushes: [], carried: [], changes: {}, runs: [] };
/** Bounds; beyond them the oldest goes. A run that goes undecided is decided at that moment. */
export const caps = { pushes: 8, carried: 50, changes: 16, runs: 20, environments: 10 } as const;

/** Whether `name` fits one of `patterns`; `*` stands for any run of characters, slashes included. */
export function fits(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    if (!pattern.includes('*')) return pattern === name;
    const parts = pattern.split(/\*+/);
    if (!name.startsWith(parts[0]!)) return false;
    let from = parts[0]!.length;
    for (const part of parts.slice(1, -1)) {
      const at = name.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    const end = parts.at(-1)!;
    return name.length - end.length >= from && name.endsWith(end);
  });
}

export function learnPush(commit: Commit, event: LoggedEvent<'dev.cdeventsx.tripline-ref.pushed'>): Commit {
  const { data } = event;
  const pusher = data['tripline.push.pusher'] ?? data['user.name'] ?? 'somebody unnamed';
  const commits = data['tripline.push.commits'] ?? [];
  const revision = data['vcs.ref.head.revision'];
  const ref = data['vcs.ref.head.name'];
  const push = {
    ref,
    type: data['vcs.ref.head.type'],
    timeMs: parseTime(event.time),
    pusher,
    committer: data['tripline.push.head_committer'] ?? '',
    ciPaths: [...new Set(commits.flatMap((pushed) => pushed.ciPaths))].slice(0, 20),
    evidence: tell(
      event,
      `${pusher} pushed ${shortSha(revision)} to ${data['vcs.ref.head.type']} ${ref}`,
      data['vcs.repository.url.full'] && `${data['vcs.repository.url.full']}/commit/${revision}`,
    ),
  };
  const carried = commits.map((pushed) => pushed.revision).filter((other) => other !== revision);
  // Whoever told it first is believed: what is sent again must not make unproven what rests on the push.
  const isTold = commit.pushes.some(
    (known) =>
      known.timeMs === push.timeMs &&
      known.ref === ref &&
      known.type === push.type &&
      known.pusher === pusher &&
      known.committer === push.committer &&
      known.ciPaths.join('\0') === push.ciPaths.join('\0'),
  );
  const others = commit.pushes.filter((known) => known.evidence.eventId !== event.id);
  const pushes = isTold ? [...commit.pushes] : [...others, push];
  return {
    ...commit,
    pushes: pushes.sort((a, b) => a.timeMs - b.timeMs).slice(-caps.pushes),
    carried: [...new Set([...commit.carried, ...carried])].slice(0, caps.carried),
  };
}

/** Adds what `event` tells of its run. `known` says what the repository's own state tells. */
export function learnRun(
  commit: Commit,
  event: LoggedEvent,
  known: { protectedRef: boolean; secretWorkflow: boolean; dueMs: number },
): Commit {
  const data: Attributes = event.data;
  const id = data['cicd.pipeline.run.id']!;
  const attempt = data['tripline.pipeline.run.attempt'] ?? 1;
  const before = commit.runs.find((run) => run.id === id && run.attempt === attempt);
  const environment = data['deployment.environment.name'];
  const isRun = event.type.startsWith('dev.cdevents.pipelinerun.');
  const selfHosted = data['tripline.worker.hosted'] === false;
  const secrets = (data['tripline.credential.secrets'] ?? []).length > 0;
  const tellsMore =
    before === undefined ||
    (isRun && before.trigger === undefined) ||
    (environment !== undefined && !before.environments.includes(environment)) ||
    (selfHosted && !before.selfHosted) ||
    (secrets && !before.secrets);
  const name = data['cicd.pipeline.name'] ?? data['tripline.pipeline.path'] ?? 'unnamed workflow';
  const run: Run = {
    id,
    attempt,
    name: clip(before?.name ?? name, 100),
    ref: before?.ref ?? data['vcs.ref.head.name'] ?? '',
    fork: (before?.fork ?? false) || data['tripline.head.fork'] === true,
    protectedRef: (before?.protectedRef ?? false) || known.protectedRef,
    environments: withEnvironment(before?.environments ?? noEnvironments, environment),
    selfHosted: (before?.selfHosted ?? false) || selfHosted,
    secrets: (before?.secrets ?? false) || secrets,
    knownSecrets: (before?.knownSecrets ?? false) || known.secretWorkflow,
    timeMs: Math.min(before?.timeMs ?? Number.POSITIVE_INFINITY, parseTime(event.time)),
    dueMs: before?.dueMs ?? known.dueMs,
    fired: before?.fired ?? false,
    trust: before?.trust ?? event.trust,
    evidence: tellsMore ? [...(before?.evidence ?? []), tell(event, runLine(data, isRun))].slice(-6) : before.evidence,
  };
  const trigger = data['tripline.pipeline.trigger'] ?? before?.trigger;
  const path = data['tripline.pipeline.path'] ?? before?.path;
  const actor = (isRun ? data['tripline.pipeline.triggered_by'] : undefined) ?? before?.actor ?? data['user.name'];
  if (trigger !== undefined) run.trigger = clip(trigger, 300);
  if (path !== undefined) run.path = clip(path, 300);
  if (actor !== undefined) run.actor = clip(actor, 300);
  if (before !== undefined && before === commit.runs.at(-1) && isSame(before, run)) return commit;
  return { ...commit, runs: [...commit.runs.filter((other) => other !== before), run] };
}

const noEnvironments: string[] = [];
function withEnvironment(known: string[], environment: string | undefined): string[] {
  if (environment === undefined || known.includes(environment)) return known;
  return [...known, environment].sort().slice(0, caps.environments);
}

/** Whether nothing was learned: a run has all that was known of it, and shares with that the lists that say the same. */
function isSame(before: Run, run: Run): boolean {
  for (const name in run) if (run[name as keyof Run] !== before[name as keyof Run]) return false;
  return true;
}

function runLine(data: Attributes, isRun: boolean): string {
  if (isRun) {
    const by = data['tripline.pipeline.triggered_by'] ?? data['user.name'];
    return `Run of ${data['cicd.pipeline.name'] ?? 'a workflow'} on ${data['vcs.ref.head.name']} by ${data['tripline.pipeline.trigger']}${by ? `, set off by ${by}` : ''}`;
  }
  const environment = data['deployment.environment.name'];
  const worker = data['tripline.worker.hosted'] === false ? ` on self-hosted runner ${data['cicd.worker.name']}` : '';
  return `Job ${data['cicd.pipeline.task.name']} of the run${environment ? ` for environment ${environment}` : ''}${worker}`;
}

const isPullRequest = (run: Run) => run.trigger?.startsWith('pull_request') ?? false;

/** Why a run on an unreviewed commit matters; undefined when it does not. */
export function reasonOf(commit: Commit, run: Run, settings: BuildSettings): string | undefined {
  const environments = run.environments.filter((environment) => !fits(settings.exemptEnvironments, environment));
  if (fits(settings.exemptRefs, run.ref)) return undefined;
  if (isPullRequest(run)) {
    const may = settings.pullRequestsMay;
    // A fork's pull_request run gets no secrets; pull_request_target does, whoever opened it.
    const handed = run.secrets || (run.trigger === 'pull_request_target' && run.fork && run.knownSecrets);
    if (handed && !may.includes('secrets')) return 'a pull request run that was given secrets';
    if (environments.length > 0 && !may.includes('environment')) {
      return `a pull request run that deployed to ${environments.join(', ')}`;
    }
    if (run.selfHosted && !may.includes('self-hosted')) return 'a pull request run on a self-hosted runner';
    return undefined;
  }
  if (environments.length > 0) return `a deployment to ${environments.join(', ')}`;
  if (run.secrets) return 'a run that was given secrets';
  if (run.protectedRef && !run.fork) return `a build of protected ref ${run.ref}`;
  if (commit.pushes.some((push) => push.type === 'tag' && push.ref === run.ref)) return `a build of tag ${run.ref}`;
  // Branches build all day; one that rewrites the workflow which holds the secrets is after the secrets.
  if (run.knownSecrets && commit.pushes.some((push) => push.ref === run.ref && push.ciPaths.length > 0)) {
    return `a run with secrets whose workflow was changed in the same push to ${run.ref}`;
  }
  return undefined;
}

/** Why the commit counts as reviewed for `run`; undefined when it does not. */
export function reviewedBy(commit: Commit, run?: Run): string | undefined {
  if (commit.trusted !== undefined) return commit.trusted;
  if (commit.coveredBy !== undefined) return `it came in with the reviewed merge ${shortSha(commit.coveredBy)}`;
  const merged = changeThatIs('merged', commit);
  if (merged !== undefined) return `change #${merged} was approved by somebody else before it was merged`;
  if (commit.answer === 'reviewed') return 'the provider names a merged change with an approval by somebody else';
  if (run && (isPullRequest(run) || run.trigger === 'merge_group')) {
    const approved = changeThatIs('approved', commit);
    if (approved !== undefined) return `change #${approved} is approved by somebody else`;
  }
  return undefined;
}

function changeThatIs(state: Commit['changes'][string], { changes }: Commit): string | undefined {
  for (const id in changes) if (changes[id] === state) return id;
  return undefined;
}

export function isExempt(commit: Commit, run: Run, settings: BuildSettings): boolean {
  const push = commit.pushes.find((known) => known.ref === run.ref);
  return hasLogin(settings.exemptActors, push?.pusher ?? run.actor);
}

/** A push to the run's own ref that the provider did not make itself, and that no merged change may explain. */
export function knownUnreviewed(commit: Commit, run: Run): boolean {
  if (isPullRequest(run)) return true;
  const push = commit.pushes.find((known) => known.type === 'branch' && known.ref === run.ref);
  return push !== undefined && push.committer !== 'web-flow' && Object.keys(commit.changes).length === 0;
}
