import type { IntentOf } from '@tripline/contracts/response';
import type { Outcome } from '../../outcome.ts';
import type { Check } from '../../provider.ts';
import { outcomeOf } from '../classify.ts';
import { type GitHubClient, type GitHubRequest, messageOf, ownerAndRepo } from '../client.ts';
import { type Action, type ActionContext, askByAddress, change, checked, noTargets, personOf } from './action.ts';

type StopRun = IntentOf<'stop-run'>;

/** When to ask whether a cancellation took, in ms after one another. A job may hold it off with `always()`; then it is forced. */
const pollAfterMs = [500, 1000, 2000, 3000, 5000];

const onRun = (step: StopRun, route: string): GitHubRequest => ({
  route,
  parameters: { ...ownerAndRepo(step.repository), run_id: step.runId },
});

/** A1: cancels a run, waits for it to stop, and forces it when it does not. */
export const stopRun: Action<StopRun> = {
  code: 'A1',
  reversible: false,
  undo: (step) => `irreversible; the run can be started anew: gh run rerun ${step.runId} --repo ${step.repository}`,
  scope: (step) => ({
    owner: ownerAndRepo(step.repository).owner,
    repository: step.repository,
    permissions: { actions: 'write' },
  }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => onRun(step, 'POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel'),

  ask: (step, context) =>
    askByAddress(context, onRun(step, 'GET /repos/{owner}/{repo}/actions/runs/{run_id}'), {
      absent: 'there is no such run',
      read(run) {
        const { status, conclusion, run_started_at: since } = run;
        if (typeof status !== 'string') {
          return { result: 'unknown', reason: 'unclear', detail: 'GitHub does not say whether the run goes on' };
        }
        if (status === 'completed') {
          return { result: 'not-so', detail: `the run is completed (${conclusion ?? 'no conclusion'})` };
        }
        const people = [personOf(run['actor']), personOf(run['triggering_actor'])].filter(
          (person) => person !== undefined,
        );
        const by = people[0]?.login === undefined ? '' : `, set off by ${people[0].login}`;
        return { result: 'so', detail: `the run is ${status}${since ? ` since ${since}` : ''}${by}`, people };
      },
    }),

  async act(step, context) {
    const cancelled = await attempt(stopRun.request(step), step, context);
    if (cancelled !== 'still-running') return cancelled;
    const force = onRun(step, 'POST /repos/{owner}/{repo}/actions/runs/{run_id}/force-cancel');
    const forced = await attempt(force, step, context);
    if (forced !== 'still-running') return forced;
    return { kind: 'retry', reason: 'still-running', message: 'The run goes on although it was cancelled by force' };
  },

  check: (step, { client }) => stateOf(step, client),
};

/** Sends one kind of cancellation and waits for the run to stop. */
async function attempt(
  request: GitHubRequest,
  step: StopRun,
  context: ActionContext,
): Promise<Outcome | 'still-running'> {
  const answer = await change(request, context);
  if ('kind' in answer) return answer;
  if (answer.status === 409) {
    // GitHub's word for both "it is over" and "it cannot be cancelled now": only the run itself tells them apart.
    const state = await stateOf(step, context.client);
    return state.result === 'dead' ? { kind: 'done', reason: 'already-gone', message: state.detail } : 'still-running';
  }
  const outcome = outcomeOf(answer, context.clock.nowMs());
  if (outcome.kind !== 'done' || outcome.reason === 'already-gone') return outcome;
  for (const afterMs of pollAfterMs) {
    await context.clock.pause(afterMs);
    const state = await stateOf(step, context.client);
    if (state.result === 'dead') return { ...outcome, message: state.detail };
  }
  return 'still-running';
}

async function stateOf(step: StopRun, client: GitHubClient): Promise<Check> {
  return checked(async () => {
    const answer = await client.send(onRun(step, 'GET /repos/{owner}/{repo}/actions/runs/{run_id}'));
    if (answer.status === 404) return { result: 'dead', detail: 'GitHub knows no such run any more' };
    const { status, conclusion } = (answer.data ?? {}) as { status?: string; conclusion?: string };
    if (answer.status !== 200 || typeof status !== 'string') {
      return { result: 'unknown', detail: `GitHub answered ${answer.status}: ${messageOf(answer)}` };
    }
    if (status === 'completed')
      return { result: 'dead', detail: `the run is completed (${conclusion ?? 'no conclusion'})` };
    return { result: 'alive', detail: `the run is ${status}` };
  });
}
