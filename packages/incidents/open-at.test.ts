import type { Entity, Finding } from '@tripline/contracts/finding';
import { inTransaction } from '@tripline/db/transaction';
import { rules } from '@tripline/rules/registry';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { resolve } from './incidents.ts';
import { byAnybody, ofOurOwnDelay, readOpenAt } from './open-at.ts';
import { recordVerdicts } from './record-findings.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const thing = (kind: Entity['kind'], name: string): Entity => ({ kind, id: name, key: `github:github.com:${name}` });
const finding = (subject: string, more: Partial<Finding>): Finding => ({
  ...someFinding(subject, { person: subject }),
  ...more,
});
const open = async (things: readonly Entity[], at?: Date) =>
  (await readOpenAt(database.db, 'acme', things, at)).map(({ severity }) => severity);

test('an incident counts for what its standing findings name, until it is resolved', async () => {
  const [repository, run] = [thing('repository', '1'), thing('run', '1#7')];
  const found = finding('one', { severity: 'high', entities: [repository, run] });
  await recordFindings(database.db, [found]);
  expect(await open([repository])).toEqual(['high']);
  // Another of the name is another; one without a key goes by its name.
  expect(await open([{ ...repository, key: 'github:github.com:2' }])).toEqual([]);
  expect(await open([{ kind: 'repository', id: '1' }])).toEqual(['high']);
  const { rows } = await database.db.pool.query('SELECT incident FROM findings WHERE id = $1', [found.id]);
  await resolve(database.db, rows[0].incident, 'true', { via: 'cli', id: 'ada', name: 'ada' });
  expect(await open([repository])).toEqual([]);
  expect(await open([repository], new Date(Date.now() + 1000))).toEqual([]);
  expect(await open([repository], new Date(0))).toEqual([]);
});

test('what people without write access bring about counts for its own run alone', async () => {
  const [repository, run, other] = [thing('repository', '3'), thing('run', '3#7'), thing('run', '3#8')];
  const theirs = { rule: 'privileged-fork-trigger', severity: 'critical' as const };
  await recordFindings(database.db, [finding('theirs', { ...theirs, entities: [repository, run] })]);
  expect(await open([repository, other])).toEqual([]);
  expect(await open([repository, run])).toEqual(['critical']);
  // It neither spreads an incident of others to what it names, nor makes it graver.
  const user = thing('user', 'ada');
  await recordFindings(database.db, [finding('ours', { severity: 'medium', entities: [run, user] })]);
  expect(await open([user, other])).toEqual(['medium']);
  expect(await open([repository])).toEqual([]);
});

test('what Tripline itself or its provider was late with counts for nobody, and lends others no severity', async () => {
  const [repository, run] = [thing('repository', '9'), thing('run', '9#7')];
  const late = { rule: 'credential-left-alive', severity: 'high' as const };
  await recordFindings(database.db, [finding('late', { ...late, entities: [repository, run] })]);
  expect(await open([repository, run])).toEqual([]);
  await recordFindings(database.db, [finding('used', { severity: 'medium', entities: [repository] })]);
  expect(await open([repository, run])).toEqual(['medium']);
});

test('a finding that was taken back counts no more', async () => {
  const [one, both] = [thing('repository', '5'), thing('user', 'bea')];
  const stands = finding('stands', { severity: 'medium', entities: [both] });
  const gone = finding('gone', { severity: 'critical', entities: [one, both] });
  await recordFindings(database.db, [stands, gone]);
  expect(await open([one])).toEqual(['critical']);
  const retraction = { findingId: gone.id, reason: 'it was allowed', atMs: Date.now() };
  await inTransaction(database.db, (client) => recordVerdicts(client, [{ kind: 'retracted', retraction }], []));
  expect(await open([one])).toEqual([]);
  expect(await open([both])).toEqual(['medium']);
});

test('each rule that anybody may set off, and each on our own delay, is there', () => {
  const ids = rules.map(({ id }) => id);
  for (const id of [...byAnybody, ...ofOurOwnDelay]) expect(ids).toContain(id);
});
