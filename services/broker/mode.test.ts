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

test('people are given rights by an App of their own, by reviewed policies, with a second factor of somebody else, or it does not start', () => {
  const peopleApp = { id: '7', privateKey: 'a key of sixteen characters' };
  const oidc = { issuer: 'https://id.acme.example', clientId: 'tripline', clientSecret: 'a secret of sixteen' };
  const stepUp = { publicUrl: 'https://access.acme.example', oidc: { ...oidc, acrValues: { any: ['mfa'] } } };
  expect(mode({ peopleApp, stepUp })).toMatchObject({ mints: false });
  expect(() => mode({ peopleApp })).toThrow(/broker\.stepUp/);
  expect(() => mode({ peopleApp, stepUp: { ...stepUp, instance: 'ghe.acme.example' } })).toThrow(/for github\.com/);
  expect(() => mode({ peopleApp, stepUp, policy: { file: 'access.yaml' } })).toThrow(/broker\.policy\.repository/);
  expect(() => mode({ peopleApp, stepUp, apps: [{ ...peopleApp }] })).toThrow(/an App of its own/);
});

test('the App that reads neither mints for jobs nor gives people rights', () => {
  const app = { id: '1', privateKey: 'a key of sixteen characters' };
  const github = { app: { ...app } };
  const modeWith = (broker: object) => () =>
    modeOf(settings.parse({ github, identity, broker: { policy, ...keys, ...broker } }));
  expect(modeWith({ apps: [app] })).toThrow(/Apps of their own/);
  expect(modeWith({ apps: [{ ...app, id: '2' }] })).not.toThrow();
});
