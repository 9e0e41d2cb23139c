import type { Attributes } from '@tripline/contracts/attributes';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { type Bound, observedBy } from './bounds.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { privilegedTriggers } from './privileged-triggers.ts';
import { accountOf, accountSchema, authorOf, repositoryKeyOf, runKeyOf, runTypes, senderOf } from './things.ts';

const forkRunSchema = observedSchema.extend({
  /** The run's key in the fact `runs`. */
  run: z.string(),
  path: z.string(),
  trigger: z.string(),
  revision: z.string(),
  actor: accountSchema.optional(),
});
export type ForkRun = z.infer<typeof forkRunSchema>;
type ForkRuns = { runs: ForkRun[] };

const bound: Bound<ForkRun> = {
  kind: 'privileged runs of forks',
  authorOf: ({ actor }) => authorOf(actor),
  mostPerAuthor: 20,
  most: 300,
};

/**
 * Which runs with a fork's head had the rights of a repository, by the repository: such a run may write what later runs of the
 * default branch read. What each was says the fact `runs`.
 */
export const forkRuns: Fact<ForkRuns> = {
  id: 'fork-runs',
  description:
    'Which runs with a fork’s head ran with the rights of the base (pull_request_target, workflow_run …), by the repository, for a fortnight: where to look for who may have written a cache.',
  reads: runTypes,
  value: z.object({ runs: z.array(forkRunSchema) }) as z.ZodType<ForkRuns>,
  keys(event) {
    const data: Attributes = event.data;
    if (data['tripline.head.fork'] !== true || !privilegedTriggers.has(data['tripline.pipeline.trigger'] ?? ''))
      return none;
    const key = repositoryKeyOf(event);
    return key === undefined ? none : [key];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    const run = runKeyOf(event)!;
    const by = accountOf(data['tripline.pipeline.triggered_by'], data['tripline.pipeline.triggered_by_id']);
    const actor = by ?? senderOf(data);
    const told: ForkRun = {
      ...{ ...observedBy(event), run, path: clip(data['tripline.pipeline.path'] ?? '', 300) },
      ...{ trigger: data['tripline.pipeline.trigger']!, revision: data['vcs.ref.head.revision'] ?? '' },
      ...(actor === undefined ? {} : { actor }),
    };
    const before = known?.runs ?? [];
    const kept = keepEarliest(before, told, (other) => other.run === run, bound, at);
    return kept === before ? known : { runs: [...kept] };
  },
  keepMs: 14 * 86_400_000,
};
const none: readonly string[] = [];
