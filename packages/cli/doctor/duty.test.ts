import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDuty } from './duty.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-duty-'));
  writeFileSync(
    join(folder, 'access.yaml'),
    `audience: https://access.acme.example
tiers: {}
policies: {}
people:
  fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [grace], onDuty: { schedules: [SCHED1], of: [who, approvedBy] } }
`,
  );
  writeFileSync(join(folder, 'access.lock'), `people: { ada: { id: '11' }, grace: { id: '12' } }\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = (duty: object | undefined, file = 'access.yaml') =>
  ({
    ...{ baseDir: folder, identity: { audience: 'https://access.acme.example' } },
    broker: { duty, policy: { file } },
  }) as never;
const known = { people: [{ account: '11', name: 'ada', user: 'PADA' }] };

const unasked = async () => Promise.reject(new Error('it was asked'));

test('without the setting it is off, unless policies want it', async () => {
  expect(await checkDuty(config(undefined, 'none.yaml'), unasked)).toMatchObject({ name: 'duty', state: 'off' });
  expect(await checkDuty(config(undefined), unasked)).toMatchObject({
    state: 'broken',
    detail: 'people.fixing want people on duty, and broker.duty is not set: nobody counts as on duty',
    remedy: expect.any(String),
  });
});

test('a key that is not taken is broken; of whom nothing is known it says so', async () => {
  expect(await checkDuty(config(known), async () => 'PagerDuty answered 401')).toMatchObject({ state: 'broken' });
  const away = async () => Promise.reject(new TypeError('fetch failed'));
  expect(await checkDuty(config(known), away)).toMatchObject({ state: 'broken', remedy: expect.any(String) });
  expect(await checkDuty(config(known), async () => undefined)).toMatchObject({
    state: 'ok',
    detail: expect.stringMatching(/never on duty, since nothing says who they are: grace$/),
    remedy: 'name them in broker.duty.people',
  });
});
