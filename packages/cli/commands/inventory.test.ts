import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import {
  beginImport,
  recordImported,
  recordImportFailed,
  recordImportProgress,
  requestImportAnew,
} from '@tripline/detector/store/imports';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../main.ts';
import { followImports } from './inventory.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const by = { via: 'cli', id: 'ada', name: 'ada', proof: 'os-user' } as const;
const counts = { runners: 4, runnerGroups: 2, members: 9, deployKeys: 1, installations: 3, heads: 5 };

/** Follows the import of a workspace while each of `looks` happens between two looks at it. */
async function follow(workspace: string, looks: (() => Promise<unknown>)[], json = false) {
  let said = '';
  const say = (text: string) => {
    said += text;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), env: {}, cwd: '/', isTerminal: false };
  const askedAt = new Map([[workspace, await requestImportAnew(database.as('cli'), workspace, by)]]);
  const wait = async () => looks.shift()?.();
  const status = await followImports(database.as('cli'), askedAt, io, { json, wait });
  return { status, said };
}

test('tells how far an import is, and what was imported; that of before is not taken for it', async () => {
  const detector = database.as('detector');
  await recordImported(detector, 'acme', { ...counts, runners: 1 });
  const { status, said } = await follow('acme', [
    () => beginImport(detector, 'acme'),
    () => recordImportProgress(detector, 'acme', { repositories: 8, of: 12 }),
    () => recordImportProgress(detector, 'acme', { repositories: 8, of: 12 }),
    () => recordImported(detector, 'acme', counts),
  ]);
  expect(status).toBe(0);
  expect(said).toMatch(
    /^acme: begun\nacme: 8 of 12 repositories read\nacme: imported at [\d-]+ [\d:]+ UTC: 4 self-hosted runners, 2 runner groups, 9 members, 1 deploy keys, 3 installed apps, 5 heads of protected branches\n$/,
  );
});

test('an import that may not read what protects repositories says of how many', async () => {
  const detector = database.as('detector');
  const { status, said } = await follow('partly', [
    () => recordImported(detector, 'partly', { ...counts, unknownProtections: 3 }),
  ]);
  expect(status).toBe(0);
  expect(said).toContain('5 heads of protected branches, what protects 3 repositories may not be read');
});

test('an import that fails says why, and ends with 1', async () => {
  const detector = database.as('detector');
  const { status, said } = await follow('labs', [
    () => recordImportFailed(detector, 'labs', 'it may not list runners'),
  ]);
  expect(status).toBe(1);
  expect(said).toMatch(/^labs: failed at .* UTC: it may not list runners\n$/);
});

test('where no detector begins, it says so and ends', async () => {
  expect(await follow('nobodys', [])).toEqual({ status: 1, said: expect.stringContaining('No detector has begun') });
});

test('as JSON it is one object', async () => {
  const detector = database.as('detector');
  const { said } = await follow('json', [() => recordImported(detector, 'json', counts)], true);
  expect(JSON.parse(said)).toMatchObject({ workspace: 'json', imported: { counts }, progress: null });
});

test('imports what is configured or was received, and refuses a workspace that nobody knows', async () => {
  const { pool } = database.db;
  await pool.query('DELETE FROM imports');
  const asked = async (...args: string[]) => {
    let said = '';
    const say = (text: string) => {
      said += text;
    };
    const env = { DATABASE_URL: database.urlAs('cli') };
    const io = { out: say, err: say, stdin: Readable.from(['']), env, cwd: tmpdir(), isTerminal: false };
    return { status: await main(['inventory', 'import', '--no-wait', ...args], io), said };
  };
  expect(await asked()).toEqual({ status: 1, said: expect.stringContaining('there is no workspace yet') });
  for (const workspace of ['received', '@receiver', 'tripline-drill-x-1'])
    await pool.query(
      `INSERT INTO rule_state (partition, workspace, rule, key, value, expires_ms) VALUES (0, $1, '@workspace', '', '{"firstSeenMs": 0}', 9e15)`,
      [workspace],
    );
  expect(await asked('typo')).toEqual({
    status: 1,
    said: 'tripline: there is no workspace typo: there are received\n',
  });
  expect(await asked()).toEqual({ status: 0, said: 'Asked for received.\n' });
  expect((await pool.query('SELECT workspace FROM imports')).rows).toEqual([{ workspace: 'received' }]);
});

test('where nothing can read GitHub it says so at once, on the machine whose settings the detector has', async () => {
  let said = '';
  const say = (text: string) => {
    said += text;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), env: {}, cwd: tmpdir(), isTerminal: false };
  expect(await main(['inventory', 'import'], io)).toBe(1);
  expect(said).toMatch(/^tripline: there is nothing to read GitHub with: configure a GitHub App/);
});
