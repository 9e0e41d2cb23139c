import type { IntentOf } from '@tripline/contracts/response';
import { type GitHubClient, type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeEach,
  checkByAsking,
  listingLimit,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type DeleteArtifacts = IntentOf<'delete-artifacts'>;
type Artifact = { id: number; name?: string; expired?: boolean; digest?: string | null };

const deletion = (step: DeleteArtifacts, artifact: number | string): GitHubRequest => ({
  route: 'DELETE /repos/{owner}/{repo}/actions/artifacts/{artifact_id}',
  parameters: { ...ownerAndRepo(step.repository), artifact_id: artifact },
});

/** A13: deletes what a run left as its artifacts. They are evidence too: keep a copy first. */
export const deleteArtifacts: Action<DeleteArtifacts> = {
  code: 'A13',
  reversible: false,
  undo: (step) => `irreversible; the run can make them anew: gh run rerun ${step.runId} --repo ${step.repository}`,
  scope: (step) => scopeOnRepository(step.repository, { actions: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => deletion(step, 'each'),
  ask,
  act: (step, context) =>
    changeEach(context, () => artifactsOf(step, context.client), {
      request: ({ id }) => deletion(step, id),
      ...{ done: 'deleted', name: ({ name, digest }) => `${name ?? 'unnamed'} (${digest ?? 'no digest'})` },
    }),
  check: checkByAsking(ask),
};

function ask(step: DeleteArtifacts, { client, clock }: Asking): Promise<Asked> {
  return asked(clock, async () => {
    const { length } = await artifactsOf(step, client);
    return length === 0
      ? { result: 'not-so', detail: 'the run has no artifacts' }
      : { result: 'so', detail: `the run has ${length} artifacts` };
  });
}

async function artifactsOf(step: DeleteArtifacts, client: GitHubClient): Promise<Artifact[]> {
  const artifacts: Artifact[] = [];
  const request = {
    route: 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts',
    parameters: { ...ownerAndRepo(step.repository), run_id: step.runId },
  };
  for await (const artifact of client.list<Artifact>(request, { under: 'artifacts', maxItems: listingLimit })) {
    if (artifact.expired !== true) artifacts.push(artifact);
  }
  return artifacts;
}
