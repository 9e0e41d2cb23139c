import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import type { Build } from './runs.ts';
import { accountSchema, repositoryKeyOf, senderOf } from './things.ts';

const dayMs = 86_400_000;

export const deploymentSchema = observedSchema.extend({
  repository: z.string(),
  url: z.string().optional(),
  environment: z.string(),
  revision: z.string(),
  ref: z.string().optional(),
  by: accountSchema.optional(),
  /** When it was first received, ms of the log's time. */
  heardMs: z.number(),
});
export type Deployment = z.infer<typeof deploymentSchema>;

export const deployments: Fact<Deployment> = {
  id: 'deployments',
  description:
    'A deployment that no run made: which commit, of which ref, to which environment, by whom. Those of runs stand with the run.',
  reads: [
    'dev.cdeventsx.tripline-deployment.requested',
    'dev.cdeventsx.tripline-deployment.changed',
    'dev.cdevents.service.deployed',
  ] satisfies readonly EventType[],
  value: deploymentSchema,
  keys(event) {
    const data: Attributes = event.data;
    const repository = repositoryKeyOf(event);
    const id = data['deployment.id'];
    const isOfRun = data['cicd.pipeline.run.id'] !== undefined;
    if (repository === undefined || id === undefined || isOfRun || data['vcs.ref.head.revision'] === undefined)
      return [];
    return [`${repository}^${id}`];
  },
  learn,
  keepMs: 90 * dayMs,
};

function learn(known: Deployment | undefined, event: LoggedEvent, at: LearnContext): Deployment {
  if (known !== undefined && parseTime(known.time) <= parseTime(event.time)) return known;
  const data: Attributes = event.data;
  const ref = data['vcs.ref.head.name'];
  const by = senderOf(data);
  return {
    ...inPlaceOf(known, observedBy(event), at.pinned),
    repository: data['vcs.repository.name'] ?? '',
    environment: clip(data['deployment.environment.name'] ?? '', 200),
    revision: data['vcs.ref.head.revision']!,
    heardMs: known?.heardMs ?? at.nowMs,
    ...(ref === undefined ? {} : { ref: clip(ref, 300) }),
    ...(by === undefined ? {} : { by }),
  };
}

/** What it built, by the fact's key. */
export function buildByDeployment(key: string, deployment: Deployment): Build {
  const { repository, environment, by, revision, ref, heardMs } = deployment;
  const id = key.slice(key.lastIndexOf('^') + 1);
  const what = `${by?.login ?? 'Somebody'} deployed ${revision.slice(0, 12)} to ${environment}`;
  return {
    ...{ id, repository, name: `A deployment to ${environment}`, occasion: `deployment ${id}` },
    ...{ revision, ref, by, heardMs, timeMs: parseTime(deployment.time), environments: [environment] },
    lines: () => [{ fact: deployments, key, observed: deployment, what }],
  };
}
