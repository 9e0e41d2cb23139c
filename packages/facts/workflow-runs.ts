import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import {
  accountOf,
  accountSchema,
  authorOf,
  isOfRun,
  repositoryKeyOf,
  runKeyOf,
  runTypes,
  senderOf,
} from './things.ts';

const hour = 3_600_000;
/** Runs stand under a key for each stretch of this length, so that a value stays small. */
const stretchMs = 6 * hour;

const startSchema = observedSchema.extend({ run: z.string(), actor: accountSchema.optional() });
type Start = z.infer<typeof startSchema>;
type Starts = { runs: Start[] };
const bound: Bound<Start> = {
  kind: 'runs of a workflow',
  authorOf: ({ actor }) => authorOf(actor),
  mostPerAuthor: 60,
  most: 300,
  nameOf: ({ run }) => run,
};

/**
 * Which runs of a workflow there were on a repository's default branch, by its file: where to look for a run when only its
 * workflow and the time are known. What each run was says the fact `runs`. Runs on other branches, and those that changes
 * set off, are left out: they are most of all runs.
 */
export const workflowRuns: Fact<Starts> = {
  id: 'workflow-runs',
  description:
    'Which runs of a workflow there were on a default branch, for six hours a key. The runs themselves are in `runs`.',
  reads: runTypes,
  value: z.object({ runs: z.array(startSchema) }) as z.ZodType<Starts>,
  keys(event) {
    if (!isRunOnDefaultBranch(event)) return none;
    return [
      stretchKey(repositoryKeyOf(event)!, (event.data as Attributes)['tripline.pipeline.path']!, parseTime(event.time)),
    ];
  },
  learn(known, event, at) {
    const run = runKeyOf(event);
    if (run === undefined) return known;
    const data: Attributes = event.data;
    const before = known?.runs ?? [];
    const told = before.find((other) => other.run === run);
    // Of a run's events the first stands for it, whichever was received first.
    if (told !== undefined && inOwnOrder(told, { time: event.time, eventId: event.id }) <= 0) return known;
    const by = accountOf(data['tripline.pipeline.triggered_by'], data['tripline.pipeline.triggered_by_id']);
    const actor = by ?? senderOf(data);
    const start: Start = { ...observedBy(event), run, ...(actor === undefined ? {} : { actor }) };
    const others = told === undefined ? before : before.filter((other) => other !== told);
    return { runs: [...keepBounded(others, inPlaceOf(told, start, at.pinned), bound, at)] };
  },
  // Longer than a grant is looked at, so that what excused it is not forgotten first.
  keepMs: 20 * 24 * hour,
};

const none: readonly string[] = [];
const ofChanges = new Set(['pull_request', 'pull_request_target', 'pull_request_review', 'merge_group']);

/** A run of a workflow whose file is told, on its repository's default branch, that no change set off. */
export function isRunOnDefaultBranch(event: LoggedEvent): boolean {
  const data: Attributes = event.data;
  const { 'vcs.ref.head.name': ref, 'tripline.repository.default_branch': defaultBranch } = data;
  if (!isOfRun(event) || ref === undefined || ref !== defaultBranch) return false;
  if (data['vcs.repository.name'] === undefined || data['tripline.pipeline.path'] === undefined) return false;
  return data['tripline.head.fork'] !== true && !ofChanges.has(data['tripline.pipeline.trigger'] ?? '');
}

const stretchKey = (repositoryKey: string, path: string, timeMs: number): string =>
  `${repositoryKey}~${clip(path.toLowerCase(), 300)}@${Math.floor(timeMs / stretchMs)}`;

/**
 * The keys under which runs stand that some event told of between two times. A repository whose id no event tells stands
 * under its name, and so do all runs that former versions heard of.
 */
export function stretchKeys(repositoryKey: string, path: string, fromMs: number, toMs: number): string[] {
  const keys: string[] = [];
  for (let ms = fromMs; Math.floor(ms / stretchMs) <= Math.floor(toMs / stretchMs); ms += stretchMs) {
    keys.push(stretchKey(repositoryKey, path, ms));
  }
  return keys;
}
