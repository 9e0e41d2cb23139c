import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { type Bound, observedBy } from './bounds.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { commitKeyIn, repositoryKeyOf } from './things.ts';

const successSchema = observedSchema.extend({ environment: z.string() });
const deployedSchema = z.object({ successes: z.array(successSchema) });
export type DeployedCommit = z.infer<typeof deployedSchema>;

/** Of each environment the first; whoever may deploy chooses how many there are. */
const environments: Bound<DeployedCommit['successes'][number]> = {
  kind: 'environments of a commit',
  authorOf: () => '',
  mostPerAuthor: 100,
  most: 100,
  nameOf: ({ environment }) => environment,
  first: true,
};

export const deployedCommits: Fact<DeployedCommit> = {
  id: 'deployed-commits',
  description:
    'To which environments a run deployed a commit with success. A deployment that no run made proves nothing: whoever may write deployments says of it what they like.',
  reads: ['dev.cdevents.service.deployed'] satisfies readonly EventType[],
  value: deployedSchema,
  keys(event) {
    const data: Attributes = event.data;
    const repository = repositoryKeyOf(event);
    const revision = data['vcs.ref.head.revision'];
    if (repository === undefined || revision === undefined || data['cicd.pipeline.run.id'] === undefined) return [];
    return data['deployment.environment.name'] === undefined ? [] : [commitKeyIn(repository, revision)];
  },
  learn(known, event, at) {
    const environment = clip((event.data as Attributes)['deployment.environment.name']!, 200);
    const before = known?.successes ?? [];
    const isSame = (other: DeployedCommit['successes'][number]) => other.environment === environment;
    const successes = keepEarliest(before, { ...observedBy(event), environment }, isSame, environments, at);
    return successes === before ? known : { successes: [...successes] };
  },
  keepMs: 90 * 86_400_000,
};
