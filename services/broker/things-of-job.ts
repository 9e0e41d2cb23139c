import { thingKey } from '@tripline/contracts/fact';
import type { Entity } from '@tripline/contracts/finding';
import { commitKeyIn, entityOf, personOf, runKeyIn } from '@tripline/facts/things';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import type { ProvedJob } from './asking.ts';

/** The key of a job's run, and what an incident may name of it by what its token proves. */
export function thingsOfJob({ issuer, repository, run, sha, actor }: ProvedJob): { run: string; things: Entity[] } {
  const repositoryKey = thingKey('github', instanceOfIssuer(issuer), repository.id);
  const runKey = runKeyIn(repositoryKey, run.id);
  const things = [
    entityOf('repository', repository.name, repositoryKey),
    entityOf('run', `${repository.name}#${run.id}`, runKey),
    entityOf('commit', `${repository.name}@${sha}`, commitKeyIn(repositoryKey, sha)),
    personOf({ login: actor.name, id: actor.id }, repositoryKey),
  ];
  return { run: runKey, things };
}
