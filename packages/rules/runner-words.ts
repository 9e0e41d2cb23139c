import type { Entity } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { placeOfKey } from '@tripline/facts/runner-keys';
import { type Runner, runners, type Work } from '@tripline/facts/runners';
import { entityOf } from '@tripline/facts/things';
import type { Basis } from './builders/basis.ts';

/** A job that a runner took, as what a finding rests on. */
export function jobOn(key: string, { name }: Runner, work: Work): Basis {
  const { job, repository, environment } = work;
  const to = environment === undefined ? '' : ` for ${environment}`;
  return {
    ...{ fact: runners, key, seen: work, what: `Job ${job ?? 'unnamed'} of ${repository}${to} ran on ${name}` },
    entities: [entityOf('repository', repository), ...(work.run === undefined ? [] : [runOf(work)])],
  };
}
/** What a machine is called to people. */
export const nameOfRunner = ({ id, name }: Pick<Runner, 'id' | 'name'>): string =>
  name === '' ? `number ${id}` : clip(name, 200);

/** The run is stopped first; then the runner is given no further job. */
export function stoppingAndIsolating(key: string, { id: runnerId, name, listings }: Runner, work: Work): Intent[] {
  const { owner: organization, ownerId: organizationId, repository, repositoryId, run } = work;
  const own = listings.find((listing) => listing.repository !== undefined)?.repository;
  const stop = { action: 'stop-run', repository, repositoryId, runId: run?.split('#').at(-1) };
  const isolate = { action: 'isolate-runner', organization, organizationId, runnerId, repository: own };
  const steps = [...(run === undefined ? [] : [stop]), { ...isolate, runnerName: clip(name, 128) || undefined }];
  return steps.map((step) => ({ ...placeOfKey(key), ...step }) as Intent);
}

const runOf = ({ run, runKey }: Work): Entity => entityOf('run', run!, runKey);

/** Gives a runner, where it worked last, no further job. */
export function isolating(key: string, { id, name, work }: Runner): Intent[] {
  const last = work.at(-1);
  if (last === undefined) return [];
  const of = { organization: last.owner, runnerId: id, runnerName: clip(name, 128) };
  return [{ action: 'isolate-runner', ...placeOfKey(key), ...of }];
}
