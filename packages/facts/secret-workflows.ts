import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact, Observed } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, observedBy } from './bounds.ts';
import { workflowUsing } from './credentials.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { accountSchema, authorOf, repositoryKeyOf, runKeyOf, runNameOf, senderOf } from './things.ts';

const dayMs = 86_400_000;

const sightSchema = observedSchema.extend({
  by: accountSchema.optional(),
  /** As findings name it, `owner/name#run`, its id, and its key in the fact `runs`. */
  run: z.string().optional(),
  runId: z.string().optional(),
  runKey: z.string().optional(),
  /** The ref that the workflow's file is of. */
  ref: z.string().optional(),
});
const handedSchema = sightSchema.extend({ secret: z.string() });
/** `size`: how often the number doubles from one, so that 8 to 15 secrets are one size. `count`: of this very job. */
const sizeSchema = sightSchema.extend({ size: z.number(), count: z.number() });
const workflowSchema = z.object({
  /** `owner/name/path`, of the repository in which its file lies. */
  workflow: z.string(),
  /** The repository whose secrets its jobs were given. */
  repository: z.string(),
  repositoryId: z.string().optional(),
  /** The first time that one of its jobs was given each of these. */
  handed: z.array(handedSchema),
  /** The first job of each size. */
  sizes: z.array(sizeSchema),
  /** The week of its last job, ms: what is used stays known. */
  lastWeekMs: z.number(),
});
export type SecretWorkflow = z.infer<typeof workflowSchema>;
export type Handed = z.infer<typeof handedSchema>;
export type JobSize = z.infer<typeof sizeSchema>;

const bySender = ({ by }: { by?: SightBy }) => authorOf(by);
type SightBy = z.infer<typeof accountSchema> | undefined;
/** Whoever may run what they like chooses of whose secrets, and how many: the first are what is usual. */
const handed: Bound<Handed> = {
  ...{ kind: 'secrets', authorOf: bySender, mostPerAuthor: 100, most: 300, first: true },
  nameOf: ({ secret }) => secret,
};
const sizes: Bound<JobSize> = {
  ...{ kind: 'sizes', authorOf: bySender, mostPerAuthor: 20, most: 40, first: true },
  nameOf: ({ size }) => String(size),
};

/** Which secrets the jobs of a workflow were given first when, and how many at once. The audit log tells; webhooks do not. */
export const secretWorkflows: Fact<SecretWorkflow> = {
  id: 'secret-workflows',
  description:
    'A workflow and the repository that it runs for: which secrets its jobs were given first when, and how many at once. The audit log tells their names, and no webhook does.',
  reads: ['dev.cdeventsx.tripline-credential.used'],
  value: workflowSchema as z.ZodType<SecretWorkflow>,
  keys(event) {
    const data: Attributes = event.data;
    const given = data['tripline.credential.secrets'];
    if (given === undefined || given.length === 0) return [];
    const [repository, workflow] = [repositoryKeyOf(event), workflowUsing(data)];
    return repository === undefined || workflow === undefined ? [] : [secretWorkflowKey(repository, workflow.name)];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    const workflow = workflowUsing(data)!;
    const names = namesOfSecrets(data);
    const sight = sightOf(event, workflow.ref);
    const size = Math.floor(Math.log2(names.length));
    let given: readonly Handed[] = known?.handed ?? [];
    for (const secret of names) {
      given = keepEarliest(given, { ...sight, secret }, (other) => other.secret === secret, handed, at);
    }
    const told = { ...sight, size, count: names.length };
    const kept = keepEarliest<JobSize>(known?.sizes ?? [], told, (other) => other.size === size, sizes, at);
    const lastWeekMs = Math.max(known?.lastWeekMs ?? 0, Math.floor(parseTime(event.time) / (7 * dayMs)) * 7 * dayMs);
    if (known && given === known.handed && kept === known.sizes && lastWeekMs === known.lastWeekMs) return known;
    return {
      workflow: workflow.name,
      repository: known?.repository ?? clip(data['vcs.repository.name']!, 300),
      ...(data['vcs.repository.id'] === undefined ? {} : { repositoryId: data['vcs.repository.id'] }),
      ...{ handed: [...given], sizes: [...kept], lastWeekMs },
    };
  },
  keepMs: 120 * dayMs,
};

export const secretWorkflowKey = (repositoryKey: string, workflow: string): string =>
  `${repositoryKey}:secrets-of:${clip(workflow, 300)}`;

const mostSecrets = 100;
function namesOfSecrets(data: Attributes): string[] {
  const names = (data['tripline.credential.secrets'] ?? []).map((name) => clip(name, 200));
  return [...new Set(names)].sort().slice(0, mostSecrets);
}

function sightOf(event: LoggedEvent, ref: string | undefined): z.infer<typeof sightSchema> & Observed {
  const data: Attributes = event.data;
  const by = senderOf(data);
  const [run, runKey] = [runNameOf(event), runKeyOf(event)];
  return {
    ...observedBy(event),
    ...(by === undefined ? {} : { by }),
    ...(run === undefined ? {} : { run, runKey: runKey!, runId: data['cicd.pipeline.run.id']! }),
    ...(ref === undefined ? {} : { ref }),
  };
}
