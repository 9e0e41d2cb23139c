import type { Intent } from '@tripline/contracts/response';

/** A step as versions before 0036_intents.sql kept it in findings and remediations: GitHub's, without saying so. */
export type FormerStep = { action: FormerAction } & Record<string, string | undefined>;
type FormerAction =
  | 'cancel-run'
  | 'remove-runner'
  | 'cancel-invitation'
  | 'withdraw-grant'
  | 'delete-deploy-key'
  | 'revoke-fine-grained-pat';

/** Converts a stored step into an intent. */
export function intentOf(stored: Intent | FormerStep): Intent {
  if ('provider' in stored && 'instance' in stored) return stored as Intent;
  const { action, grant, invitee, inviteeId, keyId, tokenId, ...target } = stored as FormerStep;
  return { ...former(action, { grant, invitee, inviteeId, keyId, tokenId }), ...target } as Intent;
}

function former(action: FormerAction, named: Record<string, string | undefined>): object {
  const place = { provider: 'github', instance: 'github.com' };
  switch (action) {
    case 'cancel-run':
      return { action: 'stop-run', ...place };
    case 'remove-runner':
      return { action: 'isolate-runner', ...place };
    case 'cancel-invitation': {
      const { invitee: user, inviteeId: userId } = named;
      return { action: 'revoke-grant', ...place, grant: 'org-invitation', user, userId };
    }
    case 'withdraw-grant':
      return { action: 'revoke-grant', ...place, grant: named['grant']!.replace('membership', 'member') };
    case 'delete-deploy-key':
      return { action: 'revoke-credential', ...place, credential: 'deploy-key', credentialId: named['keyId'] };
    case 'revoke-fine-grained-pat':
      return {
        ...{ action: 'revoke-credential', ...place, credential: 'personal-access-token' },
        credentialId: named['tokenId'],
      };
  }
}
