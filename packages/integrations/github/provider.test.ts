import { loadConfig } from '@tripline/config/config';
import { type Intent, intentNames } from '@tripline/contracts/response';
import { expect, test } from 'vitest';
import { openProviders } from '../open-providers.ts';
import { instanceOf } from './instance.ts';

const options = { clock: { nowMs: () => 0, pause: async () => {} }, onLeftAlive: () => {} };
const { resolve } = await openProviders(loadConfig({}, '/nonexistent'), options);
const place = { provider: 'github', instance: 'github.com' };
const repository = 'acme/app';
const organization = 'acme';
/** One intent of each name. */
const examples: Intent[] = [
  { action: 'stop-run', ...place, repository, runId: '7' },
  { action: 'reject-deployment', ...place, repository, runId: '7', environment: 'production' },
  { action: 'isolate-runner', ...place, organization, runnerId: '9' },
  { action: 'revoke-credential', ...place, credential: 'deploy-key', repository, credentialId: '3' },
  { action: 'revoke-grant', ...place, grant: 'collaborator', repository, user: 'mallory' },
  { action: 'restore-permission', ...place, grant: 'collaborator', repository, user: 'ada', formerPermission: 'write' },
  { action: 'restore-ref', ...place, repository, refType: 'tag', ref: 'v1', formerRevision: null },
  { action: 'close-exposure', ...place, repository, exposure: 'public-repository' },
  { action: 'rotate-secret', ...place, secret: 'NPM_TOKEN', repository },
  { action: 'delete-secret', ...place, secret: 'NPM_TOKEN', organization },
  { action: 'block-user', ...place, organization, user: 'mallory' },
];

test('every intent is one of the actions, or words with an address that a person can follow', () => {
  expect(examples.map(({ action }) => action).sort()).toEqual([...intentNames].sort());
  for (const intent of examples) {
    const resolved = resolve(intent);
    if ('byHand' in resolved) expect(resolved.byHand, intent.action).toContain('https://github.com/');
    else expect(resolved.targets, intent.action).toBeDefined();
  }
});

test('names from a finding stay within the address that words give', () => {
  const intent: Intent = { action: 'block-user', ...place, organization: 'acme evil', user: 'mallory' };
  expect(resolve(intent)).toEqual({
    byHand: expect.stringContaining('https://github.com/organizations/acme%20evil/settings/blocked_users'),
  });
});

test('nothing is done at another provider or another instance, whatever its names and numbers', () => {
  for (const intent of examples) {
    for (const elsewhere of [{ provider: 'gitlab' }, { instance: 'github.acme.example' }]) {
      expect(resolve({ ...intent, ...elsewhere } as Intent)).toHaveProperty('byHand');
    }
  }
});

test.each([
  ['https://api.github.com', 'github.com'],
  ['https://github.acme.example/api/v3', 'github.acme.example'],
  ['https://api.acme.ghe.com', 'acme.ghe.com'],
  ['http://127.0.0.1:4000', 'github.com'],
])('the API at %s is that of %s', (apiUrl, instance) => {
  expect(instanceOf(apiUrl)).toBe(instance);
});
