import type { Intent, IntentOf } from '@tripline/contracts/response';
import type { Action } from './actions/action.ts';
import { blockUser } from './actions/block-user.ts';
import { makePrivate, resolveAlert } from './actions/close-exposure.ts';
import { deleteArtifacts } from './actions/delete-artifacts.ts';
import { deleteCaches } from './actions/delete-caches.ts';
import { type DeleteSecret, deleteSecret } from './actions/delete-secret.ts';
import { isolateRunner } from './actions/isolate-runner.ts';
import { lockTags } from './actions/lock-tags.ts';
import { rejectDeployment } from './actions/reject-deployment.ts';
import { restorePermission } from './actions/restore-permission.ts';
import { restoreRef } from './actions/restore-ref.ts';
import { revokeCredentialAuthorization } from './actions/revoke-credential-authorization.ts';
import { revokeDeployKey } from './actions/revoke-deploy-key.ts';
import { revokeFineGrainedPat } from './actions/revoke-fine-grained-pat.ts';
import { revokeGrant } from './actions/revoke-grant.ts';
import { revokeInvitation } from './actions/revoke-invitation.ts';
import { revokeLeakedToken } from './actions/revoke-leaked-token.ts';
import { revokeOrgRole } from './actions/revoke-org-role.ts';
import { stopRun } from './actions/stop-run.ts';
import { stopWorkflow } from './actions/stop-workflow.ts';
import { type AppInstallation, uninstallApp } from './actions/uninstall-app.ts';

/** The action that carries out an intent; undefined where there is none yet. `enterprise`: `github.enterprise`. */
export function actionOf(intent: Intent, enterprise?: string): Action | undefined {
  return chosen(intent, enterprise) as Action | undefined;
}

function chosen(intent: Intent, enterprise: string | undefined) {
  switch (intent.action) {
    case 'stop-run':
      return stopRun;
    case 'isolate-runner':
      return isolateRunner;
    case 'stop-workflow':
      return stopWorkflow;
    case 'reject-deployment':
      return rejectDeployment;
    case 'revoke-credential':
      return credentialActions[intent.credential];
    case 'revoke-grant':
      if (intent.grant === 'app-installation')
        return enterprise !== undefined && isNumbered(intent) ? uninstallApp(enterprise) : undefined;
      // Tripline holds it, and not GitHub.
      if (intent.grant === 'access') return undefined;
      if (intent.grant === 'org-role') return revokeOrgRole;
      return intent.grant === 'org-invitation' ? revokeInvitation : revokeGrant;
    case 'restore-permission':
      if (intent.grant === 'team') return undefined;
      // Somebody who was more than a member before is not made a member.
      return intent.grant === 'org-member' && intent.formerPermission !== 'member' ? undefined : restorePermission;
    case 'restore-ref':
      return restoreRef;
    case 'lock-tags':
      return lockTags;
    case 'delete-caches':
      return deleteCaches;
    case 'delete-artifacts':
      return deleteArtifacts;
    case 'close-exposure':
      if (intent.exposure === 'secret-alert') return intent.exposed === undefined ? undefined : resolveAlert;
      return intent.exposure === 'public-repository' ? makePrivate : undefined;
    case 'delete-secret':
      return isWhole(intent) ? deleteSecret : undefined;
    case 'block-user':
      return blockUser;
    default:
      return undefined;
  }
}

const credentialActions = {
  'deploy-key': revokeDeployKey,
  'personal-access-token': revokeFineGrainedPat,
  'leaked-token': revokeLeakedToken,
  'credential-authorization': revokeCredentialAuthorization,
};

const isNumbered = (
  intent: Extract<IntentOf<'revoke-grant'>, { grant: 'app-installation' }>,
): intent is AppInstallation => intent.installationId !== undefined;

const isWhole = (intent: IntentOf<'delete-secret'>): intent is DeleteSecret =>
  intent.repository !== undefined || intent.organization !== undefined;
