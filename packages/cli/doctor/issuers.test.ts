import { identitySettings } from '@tripline/identity/settings';
import { makeIssuerKey } from '@tripline/testing/id-tokens';
import { type FakeAnswer, startFakeService } from '@tripline/testing/integration.conformance';
import { expect, it } from 'vitest';
import { checkIssuers } from './issuers.ts';

it('says of each issuer whether its keys can be read and used, and nothing where none is configured', async () => {
  const key = await makeIssuerKey('key-1');
  const whole = { status: 200, body: JSON.stringify({ keys: [key.publicJwk] }) };
  let answer: FakeAnswer = whole;
  const issuer = await startFakeService(() => answer);
  const look = async (more: object = {}, audience: string | undefined = 'https://access.acme.example') => {
    const github = [{ issuer: issuer.url, owners: ['65'], ...more }];
    const [check, ...others] = await checkIssuers(identitySettings.parse({ audience, github }));
    expect(others).toEqual([]);
    return check;
  };
  const name = `issuer ${issuer.url}`;
  expect(await look()).toEqual({ name, state: 'ok', detail: '1 key; tokens for https://access.acme.example' });
  const thumbprints = [key.thumbprint];
  expect(await look({ thumbprints })).toMatchObject({ detail: expect.stringMatching(/^1 key, by thumbprint;/) });
  expect(await look({ thumbprints: ['A'.repeat(43)] })).toMatchObject({
    name,
    state: 'broken',
    detail: 'its keys could not be read: the answer holds no key that can be used',
  });
  const clocks = async (aheadMs: number, headers: Record<string, string> = {}) => {
    answer = { ...whole, headers: { date: 'Fri, 27 Nov 2026 12:00:00 GMT', ...headers } };
    const settings = identitySettings.parse({
      audience: 'https://a.example',
      github: [{ issuer: issuer.url, owners: ['65'] }],
    });
    const nowMs = () => Date.parse('2026-11-27T12:00:00Z') + aheadMs;
    const [check] = await checkIssuers(settings, { nowMs, pause: () => new Promise(() => {}) });
    return check;
  };
  expect(await clocks(30_000)).toMatchObject({ state: 'ok' });
  expect(await clocks(90_000)).toMatchObject({ state: 'broken', detail: expect.stringContaining('90 s ahead of') });
  expect(await clocks(-31_000)).toMatchObject({ state: 'broken', detail: expect.stringContaining('31 s behind') });
  // A cache on the way answers with what is an hour old, and says so.
  expect(await clocks(3_600_000, { age: '3600' })).toMatchObject({ state: 'ok' });
  expect(await clocks(90_000, { date: 'yesterday' })).toMatchObject({ state: 'ok' });
  answer = { status: 503 };
  expect(await look()).toMatchObject({
    state: 'broken',
    detail: expect.stringContaining('503'),
    remedy: expect.any(String),
  });
  await issuer.close();
  expect(await look()).toMatchObject({ state: 'broken', detail: expect.stringContaining('ECONNREFUSED') });
  const [unset] = await checkIssuers(identitySettings.parse({ github: [{ owners: ['65'] }] }));
  expect(unset).toMatchObject({ state: 'broken', remedy: expect.stringContaining('identity.audience') });
  expect(await checkIssuers(identitySettings.parse({}))).toEqual([]);
});
