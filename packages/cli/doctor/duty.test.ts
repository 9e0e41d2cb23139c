import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDuty, type DutySources } from './duty.ts';

const policies = `audience: https://access.acme.example
tiers: {}
policies: {}
people:
  fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [grace], onDuty: { schedules: [SCHED1], of: [who, approvedBy] } }
`;
const lock = `people: { ada: { id: '11' }, grace: { id: '12' } }\n`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-duty-'));
  writeFileSync(join(folder, 'access.yaml'), policies);
  writeFileSync(join(folder, 'access.lock'), lock);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = (duty: object | undefined, file = 'access.yaml', policy: object = { file }) =>
  ({
    ...{ baseDir: folder, identity: { audience: 'https://access.acme.example' } },
    broker: { duty, policy },
  }) as never;
const known = { people: [{ account: '11', name: 'ada', user: 'PADA' }] };

const unasked = async () => Promise.reject(new Error('it was asked'));
const check = (
  settings: ReturnType<typeof config>,
  fault: DutySources['fault'],
  taken: DutySources['taken'] = unasked,
) => checkDuty(settings, { fault, taken });
const takes = async () => undefined;

test('without the setting it is off, unless policies want it', async () => {
  expect(await check(config(undefined, 'none.yaml'), unasked)).toMatchObject({ name: 'duty', state: 'off' });
  expect(await check(config(undefined), unasked)).toMatchObject({
    state: 'broken',
    detail: 'people.fixing want people on duty, and broker.duty is not set: nobody counts as on duty',
    remedy: expect.any(String),
  });
});

test('a key that is not taken is broken; of whom nothing is known it says so', async () => {
  expect(await check(config(known), async () => 'PagerDuty answered 401')).toMatchObject({ state: 'broken' });
  const away = async () => Promise.reject(new TypeError('fetch failed'));
  expect(await check(config(known), away)).toMatchObject({ state: 'broken', remedy: expect.any(String) });
  expect(await check(config(known), async () => undefined)).toMatchObject({
    state: 'ok',
    detail: expect.stringMatching(/never on duty, since nothing says who they are: grace$/),
    remedy: 'name them in broker.duty.people',
  });
});

test('of policies in a repository it goes by those that a broker took last', async () => {
  const ofRepository = (duty?: object) =>
    config(duty, '', { repository: 'acme/access', branch: 'main', path: 'access.yaml' });
  const taken = async () => ({ file: readPolicies(policies), lock: readLock(lock) });
  expect(await check(ofRepository(), unasked, taken)).toMatchObject({
    state: 'broken',
    detail: expect.stringMatching(/^people.fixing want people on duty/),
  });
  expect(await check(ofRepository(known), takes, taken)).toMatchObject({
    state: 'ok',
    detail: expect.stringMatching(/never on duty, since nothing says who they are: grace$/),
  });
  expect(await check(ofRepository(), unasked, async () => undefined)).toMatchObject({ state: 'off' });
});

test('policies that cannot be read are said to be unknown', async () => {
  const ofRepository = (duty?: object) =>
    config(duty, '', { repository: 'acme/access', branch: 'main', path: 'access.yaml' });
  const detail = expect.stringMatching(/whose duty the policies mind is not known: they could not be read$/);
  expect(await check(ofRepository(), unasked)).toMatchObject({ state: 'off', detail });
  expect(await check(ofRepository(known), takes)).toMatchObject({ state: 'ok', detail });
});
