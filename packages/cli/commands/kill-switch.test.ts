import { Readable } from 'node:stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../main.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

async function killSwitch(...args: string[]) {
  let text = '';
  const say = (more: string) => {
    text += more;
  };
  const io = { out: say, err: say, stdin: Readable.from(['']), cwd: '/', isTerminal: false };
  return { status: await main(['kill-switch', ...args], { ...io, env: { DATABASE_URL: database.url } }), text };
}

test('says its state when nothing is asked for, and a reason where one was given', async () => {
  expect(await killSwitch()).toEqual({ status: 0, text: 'The kill switch is off\n' });
  expect(JSON.parse((await killSwitch('--json')).text)).toEqual({ stopped: false, by: null, at: null, reason: null });

  const on = /^The kill switch is ON: no automatic action is taken, since \S+ \S+ UTC, by \S+\n$/;
  expect((await killSwitch('on')).text).toMatch(on);
  expect((await killSwitch()).text).toMatch(on);
  expect((await killSwitch('on', '--reason', ' ')).text).toMatch(on);

  expect((await killSwitch('off', '--reason', 'it was a drill')).text).toMatch(/, by \S+: it was a drill\n$/);
  const { stopped, at, reason } = JSON.parse((await killSwitch('status', '--json')).text);
  expect([stopped, new Date(at).toISOString(), reason]).toEqual([false, at, 'it was a drill']);
});
