import { settings } from '@tripline/config/settings';
import { expect, test } from 'vitest';
import { modeOf } from './mode.ts';

const policy = { repository: 'acme/access' };
const identity = { audience: 'https://access.acme.example', github: [{ owners: ['65'] }] };
const keys = { eventKeys: ['a key of events, 16'], sealingKeys: ['a key of seals, 16'] };
const mode = (broker: object) => modeOf(settings.parse({ identity, broker: { policy, ...keys, ...broker } }));

test.each([
  ['an App', { apps: [{ id: '1', privateKey: 'a key of sixteen characters' }] }],
  ['OpenBao or Vault', { vault: [{ url: 'https://vault.acme.example', token: 'a token of sixteen' }] }],
  [
    'AWS',
    { aws: [{ region: 'eu-central-1', accessKey: { id: 'AKIAEXAMPLEEXAMPLE01', secret: 'a secret of sixteen' } }] },
  ],
  ['GitLab', { gitlab: [{ token: 'a token of sixteen' }] }],
])('with %s alone credentials are given', (_, broker) => {
  expect(mode(broker)).toEqual({ isDryRun: false, lacks: [], mints: true });
});

test('with nothing that mints it is a dry run; with something that does and no key of seals it does not start', () => {
  expect(mode({})).toMatchObject({ isDryRun: true, mints: false });
  const vault = [{ url: 'https://vault.acme.example', token: 'a token of sixteen' }];
  expect(() => mode({ vault, sealingKeys: undefined })).toThrow(/broker\.sealingKeys/);
});
