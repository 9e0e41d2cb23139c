import type { ResponseAction, ResponseStep } from '@tripline/contracts/response';
import type { Action } from './action.ts';
import { cancelInvitation } from './cancel-invitation.ts';
import { cancelRun } from './cancel-run.ts';
import { deleteDeployKey } from './delete-deploy-key.ts';
import { removeRunner } from './remove-runner.ts';
import { revokeFineGrainedPat } from './revoke-fine-grained-pat.ts';
import { withdrawGrant } from './withdraw-grant.ts';

/** Every action by its name. */
export const actions: { [Name in ResponseAction]: Action<Extract<ResponseStep, { action: Name }>> } = {
  'cancel-run': cancelRun,
  'remove-runner': removeRunner,
  'cancel-invitation': cancelInvitation,
  'withdraw-grant': withdrawGrant,
  'delete-deploy-key': deleteDeployKey,
  'revoke-fine-grained-pat': revokeFineGrainedPat,
};

/** The action of a step, which then takes that step. */
export function actionOf(step: ResponseStep): Action {
  return actions[step.action] as Action;
}
