import { Readable } from 'node:stream';
import { keepLink } from '@tripline/broker/store/links';
import { keepPasskey } from '@tripline/broker/store/passkeys';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { main } from '../main.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

const passkeys = (...args: string[]) => access('passkeys', ...args);
async function access(...args: string[]) {
  let text = '';
  const say = (more: string) => {
    text += more;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), cwd: '/', isTerminal: false };
  return { status: await main(['access', ...args], { ...io, env: { DATABASE_URL: database.url } }), text };
}
const made = (id: string, name: string, atMs = Date.now()) =>
  keepPasskey(
    database.db,
    {
      ...{ id, workspace: 'acme', confirmKey: `key of ${id}`, publicKey: Buffer.from('a key'), counter: 0 },
      ...{ instance: 'github.com', account: { id: '11', name } },
    },
    atMs,
  );
const listed = async (...more: string[]) =>
  (await passkeys('--json', ...more)).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('lists whose they are and who confirmed them, and nothing by which one could be confirmed or used', async () => {
  expect(await passkeys()).toEqual({ status: 0, text: 'Nobody made a passkey.\n' });
  await made('-counts', 'ada');
  await made('waits', 'bea');
  await made('lapsed', 'eve', Date.now() - 86_400_001);
  await database.db.pool.query(
    `UPDATE access_passkeys SET confirmed_by = '{"id":"12","name":"mallory"}', confirmed_at = now() WHERE id = '-counts'`,
  );
  expect(await listed()).toMatchObject([
    { accountName: 'ada', state: 'counts', confirmedBy: { name: 'mallory' }, passkey: expect.stringMatching(/^pk-/) },
    { accountName: 'bea', state: 'waits', confirmedBy: null },
    { accountName: 'eve', state: 'ended' },
  ]);
  expect((await listed('--live')).map(({ accountName }) => accountName)).toEqual(['ada', 'bea']);
  const { text } = await passkeys();
  expect(text).toMatch(
    /^pk-[0-9a-f]{16} {2}ada \(account 11 at github\.com\) {2}counts {2}never used, made .*confirmed by mallory/,
  );
  expect(text + JSON.stringify(await listed())).not.toContain('key of');
});

test('ends one, as an act of whoever does it', async () => {
  await made('-counts', 'ada');
  const [{ passkey }] = await listed();
  expect(await passkeys('end', passkey)).toMatchObject({ status: 2, text: expect.stringContaining('--reason') });
  expect(await passkeys('end', passkey, '--reason', 'laptop stolen')).toMatchObject({
    ...{ status: 0, text: expect.stringContaining('The passkey of ada proves nothing any more') },
  });
  expect(await listed()).toMatchObject([{ state: 'ended', why: 'laptop stolen' }]);
  const { rows } = await database.db.pool.query('SELECT workspace, data FROM outbox');
  expect(rows).toMatchObject([
    {
      workspace: 'acme',
      data: {
        'tripline.act.kind': 'passkey-ended',
        'tripline.act.target': passkey,
        'tripline.act.reason': 'laptop stolen',
      },
    },
  ]);
  for (const named of [passkey, 'pk-0000000000000000'])
    expect(await passkeys('end', named, '--reason', 'why')).toMatchObject({ status: 1 });
  expect((await database.db.pool.query('SELECT FROM outbox')).rowCount).toBe(1);
});

test.each([
  ['without a passkey', ['end', '--reason', 'why']],
  ['with another verb', ['revoke', 'pk-0000000000000000']],
])('is refused %s', async (_, args) => {
  expect((await passkeys(...args)).status).toBe(2);
});

test('links are listed and ended likewise, without the number that confirms one', async () => {
  expect(await access('links')).toEqual({ status: 0, text: 'Nobody showed by themselves who they are.\n' });
  const sides = { instance: 'github.com', account: { id: '21', name: 'grace' }, issuer: 'https://id.acme.example' };
  const link = { ...sides, subject: '00u1', subjectName: 'grace@acme', workspace: 'acme' };
  const { confirmKey, number } = (await keepLink(database.db, link, Date.now()))!;
  const { text } = await access('links');
  expect(text).toMatch(
    /^(link-[0-9a-f]{24}) {2}grace \(account 21 at github\.com\) {2}waits {2}signs in as grace@acme \(00u1\) at https:/,
  );
  const json = JSON.parse((await access('links', '--json')).text);
  expect(json).toMatchObject({ state: 'waits', accountId: '21', subject: '00u1' });
  expect(Object.values(json)).not.toContain(number);
  expect(JSON.stringify(json)).not.toContain(confirmKey);
  expect((await access('links', 'end', json.link, '--reason', 'left')).status).toBe(0);
  expect((await access('links', '--live')).text).toBe('No link of anybody counts.\n');
  const { rows } = await database.db.pool.query('SELECT data FROM outbox');
  expect(rows).toMatchObject([{ data: { 'tripline.act.kind': 'link-ended', 'tripline.act.target': json.link } }]);
});
