import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { checkAnswers } from './check-answers.ts';
import type { Db } from './database.ts';

const answering = (query: () => Promise<unknown>) => checkAnswers({ pool: { query } } as unknown as Pick<Db, 'pool'>);

test.each([
  ['53100', 'could not extend file "base/5/1": No space left on device', 'its disk is full, so free some space there'],
  ['53200', 'out of memory', 'give it more, or end other clients'],
  ['57P01', 'terminating connection due to administrator command', 'start it again'],
  ['28P01', 'password authentication failed for user "tripline"', 'the user or the password in DATABASE_URL'],
  ['25006', 'cannot execute INSERT in a read-only transaction', 'the primary'],
])('a service that is not ready says what to do about %s', async (code, message, remedy) => {
  const refuse = () => Promise.reject(Object.assign(new Error(message), { code }));
  await expect(answering(refuse)).rejects.toMatchObject({ code: 'DATABASE', message: expect.stringContaining(remedy) });
});

test('a socket that is not there, or that nobody listens on, is named', async () => {
  const folder = `/tmp/tripline-socket-${process.pid}`;
  mkdirSync(folder);
  const connect = async () => {
    const client = new pg.Client({ host: folder, database: 'none', user: 'nobody' });
    client.on('error', () => {});
    await client.connect();
  };
  await expect(answering(connect)).rejects.toThrow(/\.s\.PGSQL\.5432, the socket of Postgres, is not there \(ENOENT\)/);
  const server = createServer((socket) => socket.destroy()).listen(join(folder, '.s.PGSQL.5432'));
  await new Promise((resolve) => server.once('listening', resolve));
  await expect(answering(connect)).rejects.toThrow(/Postgres|DATABASE_URL/);
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

test('a fault of ours stays as it is', async () => {
  const fault = new TypeError('x is not a function');
  await expect(answering(() => Promise.reject(fault))).rejects.toBe(fault);
  await expect(answering(async () => ({ rows: [] }))).resolves.toBeUndefined();
});
