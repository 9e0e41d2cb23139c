import type { IntentOf } from '@tripline/contracts/response';
import { outcomeOf, outcomeOfError } from '../classify.ts';
import { type GitHubAnswer, type GitHubRequest, ownerAndRepo } from '../client.ts';
import { type Action, type Asking, askByAddress, checked, noTargets, scopeOnRepository } from './action.ts';

type RevokeLeaked = Extract<IntentOf<'revoke-credential'>, { credential: 'leaked-token' }>;

const alert = (step: RevokeLeaked, hide: boolean): GitHubRequest => ({
  route: 'GET /repos/{owner}/{repo}/secret-scanning/alerts/{alert_number}',
  parameters: { ...ownerAndRepo(step.repository), alert_number: step.alertId, hide_secret: hide },
});

/** GitHub's own kinds of token, which it revokes by value; it does not revoke those of an App's installation. */
const ownKinds = /^github_(?!app_installation|ssh)/;

/**
 * A4b: revokes a token that leaked, by its value. Only GitHub's alert has that: it is read with the token of this action, goes
 * into the one request that revokes it, and nowhere else.
 */
export const revokeLeakedToken: Action<RevokeLeaked> = {
  code: 'A4b',
  reversible: false,
  undo: () => 'irreversible; GitHub tells its owner, who makes a new one',
  scope: (step) => scopeOnRepository(step.repository, { secret_scanning_alerts: 'read' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  // Without the value, which nothing but the request itself may bear.
  request: () => ({ route: 'POST /credentials/revoke', parameters: { credentials: ['[value of the alert]'] } }),
  ask,
  async act(step, { client, clock, gate, revokeByValue }) {
    await gate();
    if (revokeByValue === undefined) throw new Error('nothing was given that revokes by value');
    let answer: GitHubAnswer;
    try {
      answer = await client.send(alert(step, false));
    } catch (error) {
      return outcomeOfError(error);
    }
    const value = (answer.data as { secret?: unknown } | null)?.secret;
    if (answer.status === 200 && typeof value === 'string') return revokeByValue([value]);
    const outcome = outcomeOf(answer, clock.nowMs());
    if (outcome.kind !== 'done') return outcome;
    return { kind: 'give-up', reason: 'no-value', message: 'GitHub does not tell the value of the token' };
  },
  check: (step, { client }) =>
    checked(async () => {
      const answer = await client.send(alert(step, true));
      const validity = (answer.data as { validity?: unknown } | null)?.validity;
      if (answer.status === 200 && validity === 'inactive')
        return { result: 'dead', detail: 'GitHub says the token is inactive' };
      // GitHub revokes after its answer, and looks at the token again some time later.
      return {
        result: 'unknown',
        detail: `GitHub has not said since that the token is dead (its alert: ${validity ?? 'nothing'})`,
      };
    }),
};

function ask(step: RevokeLeaked, context: Asking) {
  return askByAddress(context, alert(step, true), {
    absent: 'there is no such alert',
    read({ state, validity, secret_type: kind, secret_type_display_name: name }) {
      if (typeof kind !== 'string' || !ownKinds.test(kind)) {
        const what = typeof name === 'string' ? name : 'what leaked';
        return {
          result: 'not-so',
          detail: `${what} is no token that GitHub revokes: revoke it where it was issued`,
          alive: true,
        };
      }
      if (validity === 'inactive') return { result: 'not-so', detail: 'the token opens nothing any more' };
      if (validity === 'active') return { result: 'so', detail: `the token (${kind}) opens what it did` };
      return {
        result: 'so',
        detail: `the alert is ${state ?? 'there'}; whether the token (${kind}) still opens anything is not told`,
      };
    },
  });
}
