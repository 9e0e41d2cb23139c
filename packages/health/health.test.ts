import { addToQueue } from '@tripline/db/queue';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkHealth } from './health.ts';
import { noteRuleFaults } from './rule-faults.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  fresh = await freshDatabase();
  await noteRuleFaults(fresh.as('detector'), [{ rule: 'some-rule', reason: 'no branch' }]);
  await addToQueue(fresh.db.pool, 'notify', 'i1');
  await fresh.db.pool.query(`UPDATE queue SET failures = 5, failure = 'no way'`);
});
afterAll(() => fresh.close());

const brokenFor = async (...[service, skipsDenied]: [Parameters<typeof fresh.as>[0], boolean]) =>
  (await checkHealth(fresh.as(service), { workspaces: [] }, { skipsDenied })).flatMap(({ name, state }) =>
    state === 'broken' ? [name] : [],
  );

it('is told whole to the command line, under its own role', async () => {
  expect(await brokenFor('cli', false)).toEqual(['rule some-rule', 'jobs notify']);
});

it.each([
  ['detector', ['rule some-rule', 'jobs notify']],
  ['notifier', ['jobs notify']],
  ['remediator', ['jobs notify']],
  ['recorder', []],
  ['reconciler', []],
] as const)('is told to the %s as far as its role may look', async (service, broken) => {
  expect(await brokenFor(service, true)).toEqual(broken);
});
