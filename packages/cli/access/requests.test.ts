import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { main } from '../main.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let cwd: string;
beforeEach(async () => {
  database = await freshDatabase();
  cwd = mkdtempSync(join(tmpdir(), 'tripline-requests-'));
  writeFileSync(
    join(cwd, 'tripline.yaml'),
    `broker:
  peopleApp: { id: '7', privateKey: a key of sixteen characters }
  stepUp:
    publicUrl: https://access.acme.example
    oidc: { issuer: https://id.acme.example, clientId: tripline, clientSecret: a secret of sixteen, acrValues: { any: [mfa] } }
`,
  );
});
afterEach(async () => {
  rmSync(cwd, { recursive: true });
  await database.close();
});

async function access(args: string[], at = cwd) {
  let text = '';
  const say = (more: string) => {
    text += more;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), cwd: at, isTerminal: false };
  return { status: await main(['access', ...args], { ...io, env: { DATABASE_URL: database.url } }), text };
}
const asking = ['request', 'acme/api', 'maintain', '--for', '30m', '--reason', 'INC-12', '--account', 'ada'];
const listed = async (...more: string[]) =>
  (await access(['requests', '--json', ...more])).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('asks, lists where it is approved, and takes it back', async () => {
  expect(await access(['requests'])).toEqual({ status: 0, text: 'Nobody asked for a right.\n' });
  const { status, text } = await access(asking);
  expect(status).toBe(0);
  const id = text.split('\n')[0]!;
  expect(await listed('--live')).toMatchObject([
    {
      ...{
        id,
        workspace: 'acme',
        kind: 'collaborator',
        target: 'acme/api',
        permission: 'maintain',
        grantee: 'ada',
        forMs: 1_800_000,
      },
      ...{ reason: 'INC-12', state: 'new', approveAt: null, number: null, isUnwanted: false },
    },
  ]);
  await database.db.pool.query(`INSERT INTO access_rights (request, state, due_at) VALUES ($1, 'asked', now())`, [id]);
  await database.db.pool.query(
    `INSERT INTO access_step_ups (id, workspace, binding, asked, shown, number, asked_at, expires_at)
     VALUES ('a-prompt', 'acme', $1, $2, '{}', '0815', now(), now() + interval '15 minutes')`,
    ['a'.repeat(64), `request ${id}`],
  );
  expect((await access(['requests'])).text).toContain(
    `ada: maintain on acme/api for 30 min (INC-12)  ${id}\n  approve or deny it: https://access.acme.example/step-up/a-prompt  number 0815\n`,
  );
  expect((await access(['end', id])).status).toBe(0);
  expect(await access(['end', id])).toMatchObject({ status: 1, text: expect.stringContaining('ends already') });
  expect(await listed()).toMatchObject([{ id, isUnwanted: true }]);
});

test.each([
  ['no time', asking.filter((_, at) => at !== 3 && at !== 4), 2, '--for'],
  ['no reason', asking.filter((_, at) => at !== 5 && at !== 6), 2, '--reason'],
  ['no such right', asking.with(2, 'owner'), 2, "'owner' is no right"],
  ['no repository', asking.with(1, 'acme'), 2, 'request acme/api write'],
  ['more than a day', asking.with(4, '25h'), 2, 'longer than a day'],
  ['a login that is none', asking.with(8, 'a b'), 2, 'no login'],
])('a request with %s is refused', async (_, args, status, said) => {
  expect(await access(args)).toMatchObject({ status, text: expect.stringContaining(said) });
});

test('without an App that gives rights nothing is asked for', async () => {
  rmSync(join(cwd, 'tripline.yaml'));
  expect(await access(asking)).toMatchObject({ status: 1, text: expect.stringContaining('broker.peopleApp') });
});
