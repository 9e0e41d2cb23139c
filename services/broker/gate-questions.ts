import { drillPrefix } from '@tripline/contracts/drill';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { instanceOf, providerOf } from '@tripline/facts/things';
import type { Question } from './store/gates.ts';

/** What the gate reads of the log. */
export const questionType: EventType = 'dev.cdeventsx.tripline-deployment.reviewed';

const ids = /^[1-9]\d{0,15}$/;
const mostCharacters = 1000;
const mayBeKept = (text: string): boolean =>
  text.length <= mostCharacters && text.isWellFormed() && !text.includes('\0');

/** What an event asks the gate; undefined where it asks people, or does not name what an answer needs. */
export function questionOf(event: LoggedEvent): Question | undefined {
  const { data, id, workspace } = event;
  const installation = data['tripline.deployment.gate'];
  const repository = { id: data['vcs.repository.id'] ?? '', name: data['vcs.repository.name'] ?? '' };
  const owner = { id: data['vcs.owner.id'] ?? '', name: data['vcs.owner.name'] ?? '' };
  const runId = data['cicd.pipeline.run.id'] ?? '';
  const environment = data['deployment.environment.name'] ?? '';
  if (event.type !== questionType || data['tripline.deployment.decision'] !== 'requested') return undefined;
  if (installation === undefined || providerOf(event) !== 'github' || workspace.startsWith(drillPrefix))
    return undefined;
  if (![installation, repository.id, owner.id, runId].every((one) => ids.test(one))) return undefined;
  if (repository.name === '' || owner.name === '' || environment === '') return undefined;
  const deploymentId = data['deployment.id'] ?? null;
  // What Postgres cannot hold, or an index of it, asks nothing; and holds up nothing else of its batch.
  if (![id, repository.name, owner.name, environment, deploymentId ?? ''].every(mayBeKept)) return undefined;
  return {
    id,
    workspace,
    instance: instanceOf(event),
    repository,
    owner,
    runId,
    environment,
    installation,
    deploymentId,
  };
}
