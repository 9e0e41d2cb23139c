import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { evidenceSchema } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { hasLogin } from './story.ts';

/** What credential-new-runner knows of runners, credentials and runs, and how it names them. */
const dayMs = 86_400_000;

export const runnerSettings = z.strictObject({
  /** Logins that may register runners; a runner of theirs is known once it is old enough. Empty: who registered a runner is not asked. */
  registrars: z.array(z.string()).default([]),
  /** A runner younger than this is not trusted with a new credential, in ms. */
  youngMs: z.number().int().min(0).default(dayMs),
  /** How long a pair of credential and runner stays known without being used, in ms. */
  expireMs: z
    .number()
    .int()
    .min(dayMs)
    .default(90 * dayMs),
  /** Workflows known to use secrets, `owner/name/.github/workflows/file.yml`. */
  secretWorkflows: z.array(z.string()).default([]),
});
export type RunnerSettings = z.output<typeof runnerSettings>;

/** Which runners each credential was used from: by credential, then runner, the day of the last use in ms. */
export const bookSchema = z.object({ pairs: z.record(z.string(), z.record(z.string(), z.number())) });
const useSchema = z.object({
  /** `owner/name#run-id/attempt`, or the event's id where no run is named. */
  occasion: z.string(),
  repository: z.string(),
  runId: z.string().optional(),
  runnerName: z.string(),
  runnerId: z.string().optional(),
  organization: z.string(),
  credentials: z.array(z.string()),
  timeMs: z.number(),
  eventId: z.string(),
  time: z.string(),
  trust: z.enum(['high', 'medium', 'low']),
  evidence: z.array(evidenceSchema),
});
export const runnerSchema = z.object({
  /** In an inventory, or seen at work while the workspace was being learned. */
  known: z.boolean(),
  /** The day on which it was last inventoried or seen at work, in ms; what is not seen for long is unknown again. */
  lastMs: z.number(),
  /** The group that the inventory has it in; null when it says none. */
  groupId: z.string().nullable(),
  repository: z.string().optional(),
  registered: z.object({ by: z.string().optional(), ms: z.number(), evidence: evidenceSchema }).optional(),
  /** Uses that were found on it, in case its registration is heard of late. */
  found: z.array(useSchema),
});
export const runSchema = z.object({
  path: z.string().optional(),
  /** Its workflow is known to use secrets. */
  secretWorkflow: z.boolean(),
  evidence: evidenceSchema.optional(),
  /** Secrets that it was seen to receive: learned when its job ends. */
  credentials: z.array(z.string()),
  /** Jobs on self-hosted runners, by the runner's key, until the workflow is known. */
  tasks: z.array(z.object({ runner: z.string(), use: useSchema })),
});
export type Book = z.infer<typeof bookSchema>;
export type Runner = z.infer<typeof runnerSchema>;
export type RunFacts = z.infer<typeof runSchema>;
export type Use = z.infer<typeof useSchema>;

export const newRunner: Runner = { known: false, lastMs: 0, groupId: null, found: [] };
export const newRun: RunFacts = { secretWorkflow: false, credentials: [], tasks: [] };
/** Bounds; beyond them the least recent goes: a forgotten pair is new again, a forgotten use stays found. */
export const caps = { credentials: 300, runners: 50, found: 30, tasks: 10, secrets: 100 } as const;

/** A machine of one's own is itself; the provider's machines are new every time, so they count by their class. */
export function runnerOf(data: Attributes): { identity: string; hosted: boolean; name: string } | undefined {
  const name = clip(data['cicd.worker.name'] ?? '', 200);
  if (data['tripline.worker.hosted'] === true) {
    const own = data['tripline.worker.labels'] ?? [];
    // Nearly always one.
    const labels = clip(own.length > 1 ? [...own].sort().join(',') : (own[0] ?? ''), 400);
    const group = clip(data['tripline.worker.group.name'] ?? 'hosted', 200);
    return { identity: `hosted:${group}:${labels}`, hosted: true, name: `a hosted runner (${labels})` };
  }
  const id = data['cicd.worker.id'];
  if (id === undefined) return undefined;
  // A runner may be named by nothing at all; its number stays.
  return { identity: selfHosted(id, name), hosted: false, name: name === '' ? `number ${id}` : name };
}

/** How a self-hosted runner is named in inventories and state. */
export function selfHosted(id: string, name: string): string {
  return `self-hosted:${id}:${clip(name, 200)}`;
}

/** Secrets of a workflow or environment: what webhooks let us know of a credential. */
export const workflowCredential = (repository: string, path: string) => `workflow:${repository}/${clip(path, 300)}`;
export const environmentCredential = (repository: string, name: string) =>
  `environment:${repository}/${clip(name, 200)}`;

/** A credential that was seen in use, best identity first: the token's hash, its id, the names of secrets. */
export function credentialsOf(data: Attributes): string[] {
  const hash = data['tripline.credential.token_hash'];
  if (hash !== undefined) return [`token:${hash}`];
  const secrets = data['tripline.credential.secrets'] ?? [];
  const repository = data['vcs.repository.name'];
  if (secrets.length > 0 && repository !== undefined) {
    return [...secrets]
      .sort()
      .slice(0, caps.secrets)
      .map((name) => `secret:${repository}/${clip(name, 200)}`);
  }
  const id = data['tripline.credential.id'];
  return id === undefined ? [] : [`id:${id}`];
}

/** Credentials of a repository share a page, so that an event can name it without knowing the credential. */
export function bookKeyOf(credential: string): string {
  const match = /^(?:workflow|environment|secret):([^/]+\/[^/]+)\//.exec(credential);
  return `book:${match ? match[1] : credential}`;
}

export function isUsual(
  book: Book | undefined,
  credential: string,
  runner: string,
  use: { timeMs: number },
  settings: RunnerSettings,
): boolean {
  const lastMs = book?.pairs[credential]?.[runner];
  return lastMs !== undefined && use.timeMs - lastMs < settings.expireMs;
}

/** The day of a moment, in ms: precise enough for what expires after months, and changes the state once a day at most. */
export const dayOf = (timeMs: number) => Math.floor(timeMs / dayMs) * dayMs;

/** The book with a use entered. */
export function enter(book: Book | undefined, credential: string, runner: string, timeMs: number): Book {
  const day = dayOf(timeMs);
  const lastMs = book?.pairs[credential]?.[runner];
  if (book !== undefined && lastMs !== undefined && lastMs >= day) return book;
  const before = book?.pairs[credential] ?? {};
  const runners = latest({ ...before, [runner]: Math.max(before[runner] ?? 0, day) }, caps.runners, (lastMs) => lastMs);
  return {
    pairs: latest({ ...book?.pairs, [credential]: runners }, caps.credentials, (by) => Math.max(...Object.values(by))),
  };
}

function latest<T>(entries: Record<string, T>, count: number, order: (value: T) => number): Record<string, T> {
  const all = Object.entries(entries);
  if (all.length <= count) return entries;
  return Object.fromEntries(all.sort(([, a], [, b]) => order(b) - order(a)).slice(0, count));
}

/** What speaks against a runner at the time of a use; undefined when nothing does. */
export function suspicionOf(
  runner: Runner,
  use: { timeMs: number; groupId?: string | undefined },
  settings: RunnerSettings,
): string | undefined {
  const { registered } = runner;
  const allowed = registered?.by !== undefined && hasLogin(settings.registrars, registered.by);
  if (registered !== undefined && settings.registrars.length > 0 && !allowed) {
    return `it was registered by ${registered.by ?? 'somebody unnamed'}, who is no registrar`;
  }
  if (registered !== undefined && use.timeMs - registered.ms < settings.youngMs) {
    return `it was registered only at ${new Date(registered.ms).toISOString()}`;
  }
  if (runner.known && use.timeMs - runner.lastMs < settings.expireMs) {
    const moved = runner.groupId !== null && use.groupId !== undefined && use.groupId !== runner.groupId;
    return moved ? `it is in runner group ${use.groupId}, and the inventory has it in ${runner.groupId}` : undefined;
  }
  return allowed ? undefined : 'it is not in the inventory of runners';
}

/** Where a use happened, for a finding. */
export function useOf(event: LoggedEvent, runnerName: string, credentials: string[], evidence: Use['evidence']): Use {
  const data: Attributes = event.data;
  const repository = data['vcs.repository.name'] ?? '';
  const runId = data['cicd.pipeline.run.id'];
  const attempt = data['tripline.pipeline.run.attempt'] ?? 1;
  return {
    occasion: runId === undefined ? event.id : `${repository}#${runId}/${attempt}`,
    repository,
    runnerName,
    organization: data['vcs.owner.name'] ?? (repository.split('/')[0] || event.workspace),
    credentials,
    timeMs: parseTime(event.time),
    eventId: event.id,
    time: event.time,
    trust: event.trust,
    evidence,
    ...(runId === undefined ? {} : { runId }),
    ...(data['cicd.worker.id'] === undefined ? {} : { runnerId: data['cicd.worker.id'] }),
  };
}
