import type { Entity, Finding } from '@tripline/contracts/finding';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, grantStates, type TestGrant } from '@tripline/testing/services/broker-grants';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { endByIncidents, startEndingByIncidents } from './incidents-end.ts';

const logger = createLogger({ service: 'test', level: 'silent' });
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

const thing = (kind: Entity['kind'], name: string): Entity => ({ kind, id: name, key: `github:github.com:${name}` });
const [repository, run, person] = [thing('repository', '74'), thing('run', '74#9'), thing('user', 'user:5')];
const find = (subject: string, more: Partial<Finding>) =>
  recordFindings(fresh.db, [{ ...someFinding(subject, { person: subject }), ...more }]);

let granted = 0;
function grant(id: string, more: Partial<TestGrant> = {}) {
  granted += 1;
  const keys = { run: `run-${granted}`, job: `run-${granted}/job` };
  const things = [repository, run, person].map(({ key }) => key!);
  return addGrant(fresh.as('broker'), { id, keys, things, askedAtMs: Date.now(), ...more });
}
const end = () => endByIncidents({ db: fresh.as('broker'), clock: systemClock, logger });

test('an open incident that names a thing of a grant ends it, from the severity on that its policy says, or high', async () => {
  await grant('usual');
  await grant('medium', { incidentSeverity: 'medium' });
  await grant('critical', { incidentSeverity: 'critical' });
  await grant('another', { things: [thing('repository', '75').key!] });
  await grant('elsewhere', { workspace: 'other' });
  await grant('after-its-job', { onIncident: 'afterJob' });
  await find('low', { severity: 'low', entities: [repository] });
  expect(await end()).toEqual([]);
  await find('medium', { severity: 'medium', entities: [person] });
  expect(await end()).toEqual(['medium']);
  await find('high', { severity: 'high', entities: [repository] });
  expect(await end()).toEqual(['usual']);
  expect(await end()).toEqual([]);
  expect(await grantStates(fresh.db)).toEqual({
    ...{ usual: 'ending incident', medium: 'ending incident', critical: 'live', another: 'live' },
    ...{ elsewhere: 'live', 'after-its-job': 'live' },
  });
});

test('a policy that minds no incident gives while one is open, and ends by one that opens later', async () => {
  await find('before', { severity: 'critical', entities: [repository] });
  await grant('usual');
  await grant('minds', { incidentSeverity: 'high' });
  expect(await end()).toEqual(['minds']);
  await find('later', { severity: 'high', entities: [person] });
  expect(await end()).toEqual(['usual']);
});

test('what people without write access bring about ends nothing but what its own run was given', async () => {
  await grant('own');
  await grant('other', { things: [repository, thing('run', '74#10')].map(({ key }) => key!) });
  await find('theirs', { rule: 'privileged-fork-trigger', severity: 'critical', entities: [repository, run] });
  expect(await end()).toEqual(['own']);
  expect(await grantStates(fresh.db)).toEqual({ own: 'ending incident', other: 'live' });
});

test('an incident that opens while it runs ends grants at once', async () => {
  await grant('g1');
  const ending = startEndingByIncidents({ db: fresh.as('broker'), clock: systemClock, logger });
  try {
    const listens = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN tripline_queue'`;
    await expect.poll(async () => (await fresh.db.pool.query(listens)).rowCount, { timeout: 10_000 }).toBe(1);
    await find('high', { severity: 'high', entities: [run] });
    const foundMs = performance.now();
    await expect
      .poll(async () => (await grantStates(fresh.db))['g1'], { interval: 5, timeout: 10_000 })
      .toBe('ending incident');
    expect(performance.now() - foundMs).toBeLessThan(4000);
  } finally {
    await ending.close();
  }
});
