import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { refuseUnusableKeys } from './usable-keys.ts';

const apiUrl = 'https://api.github.com';
const pem = (type: 'pkcs1' | 'pkcs8') =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type, format: 'pem' }).toString();
const none = { github: { apiUrl }, broker: { apps: [] } };
const transit = { key: 'tripline', mount: 'transit', url: 'https://vault.acme.example', token: 'canary-of-vault' };

test('keys as GitHub gives them pass, and so does one that another signs with', async () => {
  await refuseUnusableKeys(none);
  await refuseUnusableKeys({
    github: { apiUrl, app: { id: '1', privateKey: pem('pkcs1') } },
    broker: {
      apps: [{ id: '2', transit } as never, { id: '3', privateKey: pem('pkcs8') } as never],
      peopleApp: { id: '4', privateKey: pem('pkcs8') } as never,
    },
  });
});

test('each that cannot sign is named, with what to do, and is not shown', async () => {
  const privateKey = '-----BEGIN RSA PRIVATE KEY-----\ncanary-of-a-key\n-----END RSA PRIVATE KEY-----';
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const refused = await refuseUnusableKeys({
    github: { apiUrl, app: { id: '1', privateKey } },
    broker: {
      apps: [{ id: '2', privateKey: pem('pkcs8') } as never, { id: '3', privateKey: String(ec) } as never],
      peopleApp: { id: '4', privateKey: 'canary-of-a-key' } as never,
    },
  }).catch((error: Error) => error);
  expect(refused).toMatchObject({
    code: 'CONFIG',
    message: expect.stringMatching(
      /^github.app.privateKey \(App 1\) and broker.apps\[1\].privateKey \(App 3\) and broker.peopleApp.privateKey \(App 4\) cannot sign: paste the whole PEM/,
    ),
  });
  expect(String(refused)).not.toContain('canary');
});
