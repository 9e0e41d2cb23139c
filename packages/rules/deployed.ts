import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { entityOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Sight } from './builders/own-fact.ts';
import { targetOf } from './builders/seen.ts';

/** What is kept of a deployment, by its commit. */
export const deployedSchema = z.object({
  id: z.string(),
  environment: z.string(),
  revision: z.string(),
  /** Whether it began, or succeeded. */
  state: z.enum(['begun', 'success']),
  run: z.string().optional(),
  /** A person said so by the API: no run and no app did. Whoever may write can. */
  byHand: z.literal(true).optional(),
});
export type Deployed = Sight<z.infer<typeof deployedSchema>>;

/** Of one that a run makes, that it was asked for says nothing: it may wait for what comes before it. */
export function stateOf({ type, data }: LoggedEvent): 'begun' | 'success' | undefined {
  if (type === 'dev.cdevents.service.deployed') return 'success';
  if (type === 'dev.cdeventsx.tripline-deployment.changed')
    return data['deployment.status'] === 'in_progress' ? 'begun' : undefined;
  return data['cicd.pipeline.run.id'] === undefined ? 'begun' : undefined;
}

export function deployedBy(event: LoggedEvent): z.infer<typeof deployedSchema> {
  const { data } = event;
  const run = data['cicd.pipeline.run.id'];
  return {
    id: data['deployment.id']!,
    environment: clip(data['deployment.environment.name']!, 200),
    revision: data['vcs.ref.head.revision']!,
    state: stateOf(event)!,
    ...(run === undefined ? {} : { run }),
    ...(run === undefined && data['user.type'] !== 'Bot' ? { byHand: true as const } : {}),
  };
}

/** What is found of a deployment that went past `stages`, environments that come before; `tried`: deployments to them afterwards. */
export function skipped(
  first: Deployed,
  { key, stages, tried }: { key: string; stages: readonly string[]; tried: readonly Deployed[] },
) {
  const { environment, revision, run } = first.data;
  const repository = first.repository!;
  const commit = `${repository.name}@${revision}`;
  const target = targetOf(repository, key);
  const staging = stages.slice(0, 3).join(' or ');
  return {
    ...{ subject: commit, occasion: `deployment ${first.data.id}` },
    because: [first, ...tried.slice(0, 3)],
    title: `${revision.slice(0, 12)} of ${repository.name} was deployed to ${environment} without ${staging}`,
    summary:
      `${first.by.name} deployed ${revision.slice(0, 12)} of ${repository.name} to ${environment}, ` +
      `${tried.length > 0 ? `and it ran in ${staging} only afterwards` : `and it never ran in ${staging}`}.`,
    entities: [
      entityOf('commit', commit, key),
      ...(run === undefined ? [] : [entityOf('run', `${repository.name}#${run}`, first.run)]),
    ],
    response:
      run === undefined
        ? []
        : [
            { action: 'reject-deployment' as const, ...target, runId: run, environment },
            { action: 'stop-run' as const, ...target, runId: run },
          ],
    remedy: [
      `Ask ${first.by.name} why it went past ${staging}; put back what stood in ${environment} before unless they can say.`,
      `Let ${environment} be deployed only by a job that needs that of ${staging}, and only from the protected branch.`,
    ],
  };
}

/** Whoever deployed it. */
export const accountOf = ({ by: { name: login, id } }: Deployed) => ({
  login,
  ...(id === login.toLowerCase() ? {} : { id }),
});
