import { Readable } from 'node:stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, endJobs, grantStates } from '@tripline/testing/services/broker-grants';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { main } from '../main.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

async function access(...args: string[]) {
  let text = '';
  const say = (more: string) => {
    text += more;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), cwd: '/', isTerminal: false };
  return { status: await main(['access', ...args], { ...io, env: { DATABASE_URL: database.url } }), text };
}
const grant = (id: string, n = 1) => addGrant(database.db, { id, keys: { run: `run-${n}`, job: `run-${n}/job` } });

test('lists what was given with what became of it, and what is alive alone where that is asked', async () => {
  expect(await access('grants')).toEqual({ status: 0, text: 'Nothing was given to any job.\n' });
  await grant('g1', 1);
  await grant('g2', 2);
  await endJobs(database.db, ['run-1/job']);
  await database.db.pool.query(
    `UPDATE access_credentials SET state = 'dead', dead_at = now(), sealed = NULL WHERE grant_id = 'g1'`,
  );
  const { text } = await access('grants');
  expect(text).toContain('deploy-api (production)  acme/api#9  github dead  ended 2026-03-02 12:00:00, job-ended  g1');
  expect(text).toContain('github live  until its job ends, at the latest 2026-03-02 13:00:00  g2');
  const live = await access('grants', '--live', '--json');
  expect(
    live.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ id: 'g2', repository: 'acme/api', run: '9', credentials: [{ kind: 'github', state: 'live' }] }]);
  expect(live.text).not.toContain('sealed');
});

test.each([
  ['a grant', 'g1', { g1: 'ending by-hand', g2: 'live' }],
  ['a run', 'ACME/api#9', { g1: 'ending by-hand', g2: 'ending by-hand' }],
  ['a repository', 'acme/api', { g1: 'ending by-hand', g2: 'ending by-hand' }],
  ['all', 'all', { g1: 'ending by-hand', g2: 'ending by-hand' }],
])('revokes by %s, as an act of whoever does it', async (_, named, states) => {
  await grant('g1', 1);
  await grant('g2', 2);
  expect(await access('revoke', named)).toMatchObject({ status: 2, text: expect.stringContaining('--reason') });
  expect((await access('revoke', named, '--reason', 'it was a test')).status).toBe(0);
  expect(await grantStates(database.db)).toEqual(states);
  const { rows } = await database.db.pool.query('SELECT workspace, data FROM outbox');
  expect(rows).toMatchObject([
    {
      workspace: 'acme',
      data: {
        'tripline.act.kind': 'access-revoked',
        'tripline.act.target': named,
        'tripline.act.reason': 'it was a test',
      },
    },
  ]);
});

test('says where there is nothing to revoke, and does not take one run for another', async () => {
  await grant('g1');
  for (const named of ['acme/api#10', 'acme/other', 'g2'])
    expect(await access('revoke', named, '--reason', 'why')).toEqual({
      ...{ status: 1, text: `Nothing alive was given to ${named}.\n` },
    });
  expect(await grantStates(database.db)).toEqual({ g1: 'live' });
  expect((await database.db.pool.query('SELECT FROM outbox')).rowCount).toBe(0);
});
