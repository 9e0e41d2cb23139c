import type { Intent } from '@tripline/contracts/response';

const place = { provider: 'github', instance: 'github.com', repository: 'acme/app' } as const;

/** Intents as rules give them, for tests of what answers them. */
export const keyIntent = {
  action: 'revoke-credential',
  credential: 'deploy-key',
  ...place,
  credentialId: '3',
} as const satisfies Intent;
export const runIntent = { action: 'stop-run', ...place, runId: '77' } as const satisfies Intent;
