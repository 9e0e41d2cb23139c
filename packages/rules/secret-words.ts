import type { Entity } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { type Credential, credentialId, credentials } from '@tripline/facts/credentials';
import { type Handed, type JobSize, type SecretWorkflow, secretWorkflows } from '@tripline/facts/secret-workflows';
import { entityOf, personOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Basis } from './builders/basis.ts';

const dayMs = 86_400_000;
/** How long what is usual of secrets is learned, ms. */
export const learnMs = z
  .int()
  .min(3_600_000)
  .max(60 * dayMs)
  .default(30 * dayMs);

/** What two rules say of jobs that were given secrets. */
type Sight = Handed | JobSize;

const placeOf = (key: string) => key.split(':', 2).join(':');
const repositoryKey = (key: string, { repositoryId }: SecretWorkflow) =>
  repositoryId === undefined ? undefined : `${placeOf(key)}:${repositoryId}`;

/** The key of a secret of the same repository in the fact of credentials. */
export const secretKey = (key: string, { repository }: SecretWorkflow, secret: string): string =>
  `${placeOf(key)}:${credentialId(`secret:${repository}/${secret}`)}`;

export const handedLine = (key: string, of: SecretWorkflow, seen: Sight, what: string): Basis => ({
  ...{ fact: secretWorkflows, key, seen, what: `a job of ${of.workflow} was given ${what}` },
});

/** Who set it off, where, and by which workflow. */
export function entitiesOfJob(key: string, of: SecretWorkflow, sights: readonly Sight[]): Entity[] {
  return [
    ...sights.flatMap(({ by }) => (by === undefined ? [] : [personOf(by, key)])),
    entityOf('repository', of.repository, repositoryKey(key, of)),
    ...sights.flatMap(({ run, runKey }) => (run === undefined ? [] : [entityOf('run', run, runKey)])),
    ...sights.flatMap(({ ref }) =>
      ref === undefined ? [] : [{ kind: 'workflow' as const, id: clip(`${of.workflow}@${ref}`, 500) }],
    ),
  ];
}

const mostSteps = 5;
/** Stop the run, then make anew what it was given. */
export function responseToJob(key: string, of: SecretWorkflow, sights: readonly Sight[], secrets: readonly string[]) {
  const [provider = '', instance = ''] = key.split(':', 2);
  const { repository, repositoryId } = of;
  const place = { provider, instance, repository, ...(repositoryId === undefined ? {} : { repositoryId }) };
  const runs = [...new Set(sights.flatMap(({ runId }) => (runId === undefined ? [] : [runId])))].slice(0, mostSteps);
  return [
    ...runs.map((runId): Intent => ({ action: 'stop-run', ...place, runId })),
    ...secrets.slice(0, mostSteps).map((secret): Intent => ({ action: 'rotate-secret', ...place, secret })),
  ];
}

/** That another workflow had a secret before. */
export const firstUseLine = (key: string, of: SecretWorkflow, { firstUse }: Credential, name: string): Basis => ({
  ...{ fact: credentials, key: secretKey(key, of, name), seen: firstUse! },
  what: `${firstUse!.workflow} was given ${name}`,
});
