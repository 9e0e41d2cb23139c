import { connect } from 'node:net';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

let issuer: Issuer;
let database: FreshDatabase;
let broker: Awaited<ReturnType<typeof startBroker>>;
beforeAll(async () => {
  [issuer, database] = await Promise.all([startIssuer(), freshDatabase()]);
});
afterAll(() => Promise.all([issuer.close(), database.close()]));
afterEach(() => broker.close());

const start = async (settings = {}) => {
  broker = await startBroker({ db: database.as('broker'), stream: fakeStream(), issuer }, { settings });
};

/** What is answered to a request of which the head alone is sent, and what of the body is given here. */
async function answerTo(line: string, headers: Record<string, string>, body = ''): Promise<string> {
  const socket = connect(Number(new URL(broker.base).port), '127.0.0.1');
  try {
    const lines = Object.entries({ host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${line} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
    return await new Promise<string>((resolve, reject) => {
      socket.once('data', (chunk) => resolve(String(chunk)));
      socket.once('error', reject);
    });
  } finally {
    socket.destroy();
  }
}

test.each([
  ['whose body is still to come', { 'content-type': 'application/json', 'content-length': '1000000' }, ''],
  ['whose body is broken', { 'content-type': 'application/json', 'content-length': '1' }, '{'],
  ['of a type that is none', { 'content-type': 'nonsense;;', 'content-length': '1' }, '{'],
  ['with a type and no body', { 'content-type': 'application/json' }, ''],
  ['without any', {}, ''],
])('giving back %s is asked for its token, and counted, before a body is read', async (_, headers, body) => {
  await start({ broker: { rate: { perSecond: 0.001, burst: 2 } } });
  const line = 'DELETE /v1/access/abc';
  for (const reason of ['token-missing', 'token-missing', 'too-many-requests'])
    expect(await answerTo(line, headers, body)).toContain(`"reason":"${reason}"`);
  expect(await broker.metrics()).toMatch(/reason="too-many-requests"[^\n]* 1\n/);
});

test('giving back is one whether a type of body is named or not', async () => {
  await start();
  for (const type of [{}, { 'content-type': 'application/json' }]) {
    const headers = { authorization: `Bearer ${await issuer.token()}`, ...type };
    expect(await broker.send('DELETE', '/v1/access/abc', { headers })).toMatchObject({
      status: 404,
      body: { error: { reason: 'grant-unknown' } },
    });
  }
});

test.each([
  ['DELETE', '/v1/access/%ff', 400, 'path-unreadable'],
  ['DELETE', `/v1/access/${'a'.repeat(101)}`, 414, 'path-too-long'],
  ['POST', '/v1/access/abc', 404, 'no-such-route'],
  ['POST', '/nowhere', 404, 'no-such-route'],
])('%s %s is answered as all else, without its body', async (method, path, status, reason) => {
  await start();
  const headers = { 'content-type': 'application/json', 'content-length': '1000000' };
  const answer = await answerTo(`${method} ${path}`, headers);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toContain(`{"error":{"reason":"${reason}",`);
});
