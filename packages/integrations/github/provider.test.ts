import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { type Intent, intentNames } from '@tripline/contracts/response';
import { heldIntents, noGrants } from '@tripline/testing/intents';
import { expect, test } from 'vitest';
import { openProviders } from '../open-providers.ts';
import { instanceOf } from './instance.ts';

const options = { clock: { nowMs: () => 0, pause: async () => {} }, onLeftAlive: () => {}, grants: noGrants };
const { resolve } = await openProviders(loadConfig({}, '/nonexistent'), options);
const place = { provider: 'github', instance: 'github.com' };
/** One intent of each name, and what becomes of it. */
const examples = (
  JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/intents.json'), 'utf8')) as { intent: Intent }[]
).map(({ intent }) => intent);

test('every intent is one of the actions, or words with an address that a person can follow', () => {
  expect(examples.map(({ action }) => action).sort()).toEqual([...intentNames].sort());
  for (const intent of examples) {
    const resolved = resolve(intent);
    if ('byHand' in resolved) expect(resolved.byHand, intent.action).toContain('https://github.com/');
    else expect(resolved.targets, intent.action).toBeDefined();
  }
});

test('names from a finding stay within the address that words give', () => {
  const app = { action: 'revoke-grant', grant: 'app-installation', app: 'x' } as const;
  const intent: Intent = { ...app, ...place, organization: 'acme evil' };
  expect(resolve(intent)).toEqual({
    byHand: expect.stringContaining('https://github.com/organizations/acme%20evil/settings/installations'),
  });
});

test('an app is uninstalled by its number where the enterprise is known, else by a person', async () => {
  const config = loadConfig({ TRIPLINE_GITHUB_ENTERPRISE: 'acme-inc' }, '/nonexistent');
  const ofEnterprise = await openProviders(config, options);
  expect(ofEnterprise.resolve(heldIntents.app)).toMatchObject({
    code: 'A11',
    request: { method: 'DELETE', path: '/enterprises/acme-inc/apps/organizations/acme/installations/1' },
  });
  expect(ofEnterprise.resolve({ ...heldIntents.app, installationId: undefined })).toHaveProperty('byHand');
  expect(resolve(heldIntents.app)).toHaveProperty('byHand');
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
