import { type Intent, intentSchema } from '@tripline/contracts/response';
import { expect, test } from 'vitest';
import { type FormerStep, intentOf } from './former-steps.ts';

const formerSteps: FormerStep[] = [
  { action: 'cancel-run', repository: 'acme/app', runId: '7' },
  { action: 'remove-runner', organization: 'acme', runnerId: '9', runnerName: 'builder' },
  { action: 'cancel-invitation', organization: 'acme', invitationId: '5', invitee: 'mallory', inviteeId: '11' },
  { action: 'withdraw-grant', grant: 'org-membership', organization: 'acme', user: 'mallory' },
  { action: 'withdraw-grant', grant: 'team-membership', organization: 'acme', team: 'ops', user: 'mallory' },
  { action: 'withdraw-grant', grant: 'team-repository', organization: 'acme', team: 'ops', repository: 'acme/app' },
  { action: 'withdraw-grant', grant: 'collaborator', repository: 'acme/app', user: 'mallory', userId: '11' },
  { action: 'delete-deploy-key', repository: 'acme/app', keyId: '3' },
  { action: 'revoke-fine-grained-pat', organization: 'acme', tokenId: '42' },
];

test.each(formerSteps)('a former $action is an intent at GitHub, whole', (step) => {
  const intent = JSON.parse(JSON.stringify(intentOf(step))) as Intent;
  expect(intentSchema.parse(intent)).toEqual(intent);
  expect(intentOf(intent)).toEqual(intent);
});
