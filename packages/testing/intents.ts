import type { Intent } from '@tripline/contracts/response';
import type { AccessGrants } from '@tripline/integrations/provider';

const place = { provider: 'github', instance: 'github.com', repository: 'acme/app' } as const;

/** Intents as rules give them, for tests of what answers them. */
export const keyIntent = {
  action: 'revoke-credential',
  credential: 'deploy-key',
  ...place,
  credentialId: '3',
} as const satisfies Intent;
export const runIntent = { action: 'stop-run', ...place, runId: '77' } as const satisfies Intent;

const { provider, instance } = place;
const org = { provider, instance, organization: 'acme' } as const;
const mallory = { user: 'mallory', userId: '6' } as const;
/** The intents that GitHub's integration carries out and that concern what a repository or an organisation holds. */
export const heldIntents = {
  workflow: { action: 'stop-workflow', ...place, workflow: '.github/workflows/release.yml' },
  allWorkflows: { action: 'stop-workflow', ...place },
  deployment: { action: 'reject-deployment', ...place, runId: '77', environment: 'staging' },
  leakedToken: { action: 'revoke-credential', credential: 'leaked-token', ...place, alertId: '42' },
  authorizations: { action: 'revoke-credential', credential: 'credential-authorization', ...org, user: 'mallory' },
  role: { action: 'revoke-grant', grant: 'org-role', ...org, role: 'security_manager', roleId: '8', ...mallory },
  app: { action: 'revoke-grant', grant: 'app-installation', ...org, app: 'helper', installationId: '1' },
  ref: {
    action: 'restore-ref',
    ...place,
    refType: 'tag',
    ref: 'v1',
    formerRevision: 'a'.repeat(40),
    revision: 'b'.repeat(40),
  },
  madeRef: { action: 'restore-ref', ...place, refType: 'branch', ref: 'fix/x#1', formerRevision: null },
  tags: { action: 'lock-tags', ...place },
  caches: { action: 'delete-caches', ...place, since: '2026-05-01T11:00:00Z' },
  artifacts: { action: 'delete-artifacts', ...place, runId: '77' },
  exposure: { action: 'close-exposure', ...place, repositoryId: '1', exposure: 'public-repository' },
  alert: { action: 'close-exposure', ...place, exposure: 'secret-alert', exposed: '42' },
  secret: { action: 'delete-secret', ...place, secret: 'NPM_TOKEN' },
  environmentSecret: { action: 'delete-secret', ...place, environment: 'production', secret: 'NPM_TOKEN' },
  organizationSecret: { action: 'delete-secret', ...org, secret: 'NPM_TOKEN' },
  block: { action: 'block-user', ...org, user: 'mallory' },
} as const satisfies Record<string, Intent>;

/** What the access broker gave the run that they are of. */
export const accessIntent = {
  ...{ action: 'revoke-grant', provider: 'tripline', instance: 'github.com', grant: 'access' },
  ...{ of: 'run', key: 'github:github.com:74#9', name: 'acme/api#9' },
} as const satisfies Intent;

/** A broker that gave nothing. */
export const noGrants: AccessGrants = { alive: async () => [], end: async () => 0 };
