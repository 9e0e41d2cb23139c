import type { IntentOf } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { redactText } from '@tripline/runtime/redact';
import { type GitHubRequest, messageOf, ownerAndRepo } from '../client.ts';
import { type Action, askByAddress, changeOnce, checkByAddress, noTargets } from './action.ts';

type IsolateRunner = IntentOf<'isolate-runner'>;

const onRunner = (step: IsolateRunner, method: 'DELETE' | 'GET'): GitHubRequest =>
  step.repository === undefined
    ? {
        route: `${method} /orgs/{org}/actions/runners/{runner_id}`,
        parameters: { org: step.organization, runner_id: step.runnerId },
      }
    : {
        route: `${method} /repos/{owner}/{repo}/actions/runners/{runner_id}`,
        parameters: { ...ownerAndRepo(step.repository), runner_id: step.runnerId },
      };

/** A3: removes a self-hosted runner, so that no further job is given to it. */
export const isolateRunner: Action<IsolateRunner> = {
  code: 'A3',
  reversible: false,
  undo: () => 'irreversible; register the runner anew on its machine: ./config.sh --url … --token …',
  scope: (step) =>
    step.repository === undefined
      ? { owner: step.organization, permissions: { organization_self_hosted_runners: 'write' } }
      : {
          owner: ownerAndRepo(step.repository).owner,
          repository: step.repository,
          permissions: { administration: 'write' },
        },
  targets: ({ repository, runnerId: id, runnerName: name }) => ({
    ...noTargets,
    runners: [{ id, name }],
    repositories: repository === undefined ? [] : [repository],
  }),
  request: (step) => onRunner(step, 'DELETE'),
  ask: (step, context) =>
    askByAddress(context, onRunner(step, 'GET'), {
      absent: 'there is no such runner',
      read({ name, status, busy }) {
        // A repository and its organisation number their runners each for themselves, so that the number alone names two.
        const called = typeof name === 'string' ? clip(redactText(name), 128) : undefined;
        if (step.runnerName !== undefined && called !== undefined && called !== step.runnerName) {
          return { result: 'not-so', detail: `runner ${step.runnerId} is ${called}, another one`, alive: true };
        }
        // GitHub removes no runner at work. Its job was cancelled in the step before and needs a moment to let go.
        if (busy === true) return { result: 'unknown', reason: 'busy', detail: 'the runner is running a job' };
        return { result: 'so', detail: `the runner is registered and ${status ?? 'of unknown state'}` };
      },
    }),
  act: (step, context) =>
    changeOnce(onRunner(step, 'DELETE'), context, (answer) =>
      // GitHub removes no runner at work. Its job was cancelled in the step before and needs a moment to let go.
      answer.status === 422 ? { kind: 'retry', reason: 'busy', message: messageOf(answer) } : undefined,
    ),
  check: (step, { client }) =>
    checkByAddress(client, onRunner(step, 'GET'), {
      alive: ({ data }) =>
        `the runner is still registered and ${(data as { status?: string })?.status ?? 'of unknown state'}`,
      dead: 'GitHub knows no such runner any more',
    }),
};
