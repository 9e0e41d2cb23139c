import type { IntentOf } from '@tripline/contracts/response';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asking,
  askByAddress,
  changeOnce,
  checkByAsking,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type CloseExposure = IntentOf<'close-exposure'>;

const onRepository = (step: CloseExposure, method: 'GET' | 'PATCH', more: object = {}): GitHubRequest => ({
  route: `${method} /repos/{owner}/{repo}`,
  parameters: { ...ownerAndRepo(step.repository), ...more },
});

/** A15: makes a repository private. Who cloned or forked it meanwhile still has what was in it. */
export const makePrivate: Action<CloseExposure> = {
  code: 'A15',
  reversible: true,
  undo: (step) => `make it public again: gh repo edit ${step.repository} --visibility public; stars and forks are lost`,
  scope: (step) => scopeOnRepository(step.repository, { administration: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => onRepository(step, 'PATCH', { visibility: 'private' }),
  ask: askVisibility,
  act: (step, context) => changeOnce(makePrivate.request(step), context),
  check: checkByAsking(askVisibility),
};

function askVisibility(step: CloseExposure, context: Asking) {
  return askByAddress(context, onRepository(step, 'GET'), {
    absent: `there is no ${step.repository}`,
    read({ private: isPrivate, visibility }) {
      if (typeof isPrivate !== 'boolean') {
        return { result: 'unknown', reason: 'unclear', detail: 'GitHub does not say who may see it' };
      }
      return isPrivate
        ? { result: 'not-so', detail: `the repository is ${visibility ?? 'private'}` }
        : { result: 'so', detail: 'everybody can see the repository' };
    },
  });
}

const onAlert = (step: CloseExposure, method: 'GET' | 'PATCH', more: object = {}): GitHubRequest => ({
  route: `${method} /repos/{owner}/{repo}/secret-scanning/alerts/{alert_number}`,
  parameters: { ...ownerAndRepo(step.repository), alert_number: step.exposed, ...more },
});

/** A15: resolves an alert of a leaked secret as revoked, where GitHub itself says that the secret opens nothing any more. */
export const resolveAlert: Action<CloseExposure> = {
  code: 'A15',
  reversible: true,
  undo: (step) =>
    `open the alert again at https://${step.instance}/${step.repository}/security/secret-scanning/${step.exposed}`,
  scope: (step) => scopeOnRepository(step.repository, { secret_scanning_alerts: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) =>
    onAlert(step, 'PATCH', {
      state: 'resolved',
      resolution: 'revoked',
      resolution_comment: 'The secret is inactive, GitHub says',
    }),
  ask: askAlert,
  act: (step, context) => changeOnce(resolveAlert.request(step), context),
  check: checkByAsking(askAlert),
};

function askAlert(step: CloseExposure, context: Asking) {
  return askByAddress(context, onAlert(step, 'GET', { hide_secret: true }), {
    absent: 'there is no such alert',
    read({ state, validity, resolution }) {
      if (state === 'resolved')
        return { result: 'not-so', detail: `the alert is resolved (${resolution ?? 'no reason'})` };
      if (state !== 'open')
        return { result: 'unknown', reason: 'unclear', detail: 'GitHub does not say whether it is open' };
      if (validity === 'inactive')
        return { result: 'so', detail: 'the alert is open, and the secret opens nothing any more' };
      const still = validity === 'active' ? 'still opens what it did' : 'may still open what it did';
      return { result: 'not-so', detail: `the secret ${still}: revoke it where it was issued first`, alive: true };
    },
  });
}
