import type { IncomingMessage } from 'node:http';
import { examplePolicies } from '@tripline/access/access.example';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { startBroker, startIssuer } from '@tripline/testing/services/broker';
import { expect, test } from 'vitest';
import type { Gather } from './asking.ts';
import { createClientAddress } from './client-address.ts';

const from = (peer: string | undefined, forwarded: string | undefined, proxies = ['127.0.0.1/32', '2001:db8:f::/48']) =>
  createClientAddress(proxies)({
    socket: { remoteAddress: peer },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage);

test.each([
  ['8.8.8.8', '8.8.8.8'],
  ['8.8.8.8:51234', '8.8.8.8'],
  [' 8.8.8.8 ', '8.8.8.8'],
  ['"8.8.8.8:51234"', '8.8.8.8'],
  ['::ffff:8.8.8.8', '8.8.8.8'],
  ['[::ffff:8.8.8.8]:1', '8.8.8.8'],
  ['2001:db8::1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:123', '2001:db8::1'],
  ['"[2001:db8::1]:123"', '2001:db8::1'],
  // What stands before it the client may have written.
  ['127.0.0.9, unknown, 8.8.8.8', '8.8.8.8'],
  ['127.0.0.9:1, 8.8.8.8:51234, 127.0.0.1:443, [2001:db8:f::1]:443', '8.8.8.8'],
  [',8.8.8.8', '8.8.8.8'],
])('a proxy that says %j names %s', (forwarded, address) => {
  expect(from('127.0.0.1', forwarded)).toBe(address);
  expect(from('::ffff:127.0.0.1', forwarded)).toBe(address);
});

test.each([
  undefined,
  '',
  ' ',
  'unknown',
  '_hidden',
  '010.0.0.1',
  '8.8.8',
  '8.8.8.8:',
  '8.8.8.8:port',
  '8.8.8.8:123456',
  '8.8.8.8/32',
  '[8.8.8.8]:1',
  '[2001:db8::1',
  '[2001:db8::1]123',
  '"8.8.8.8',
  'fe80::1%eth0',
  '8.8.8.8,',
  '8.8.8.8, unknown',
  '8.8.8.8, unknown, 127.0.0.1',
  // None of them is known to be the client.
  '127.0.0.1',
  '127.0.0.1, 127.0.0.1',
])('a proxy that says %j names nobody, and least of all itself', (forwarded) => {
  expect(from('127.0.0.1', forwarded)).toBeUndefined();
});

test('whoever is no proxy asks from where it connects, whatever it says', () => {
  for (const said of [undefined, '8.8.8.8', 'unknown', '127.0.0.1']) {
    expect(from('198.51.100.7', said)).toBe('198.51.100.7');
    expect(from('::ffff:198.51.100.7', said)).toBe('198.51.100.7');
    expect(from('127.0.0.1', said, [])).toBe('127.0.0.1');
  }
  expect(from(undefined, '8.8.8.8')).toBeUndefined();
});

test('a job that the proxy names no address of is in no network, and is told what the proxy has to send', async () => {
  const [issuer, database] = await Promise.all([startIssuer(), freshDatabase()]);
  const gather: Gather = async (_job, _policy, { address }) => ({
    known: {
      ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: ['staging'] },
      ...{ runner: { group: 'prod-deployers', isKnown: true }, incidents: [], address },
      approval: { by: 'ada', ageMs: 60_000, isPhishingResistant: true },
    },
    things: [],
  });
  const stream = fakeStream();
  const broker = await startBroker(
    { db: database.as('broker'), stream, issuer },
    {
      seams: { gather },
      policies: examplePolicies.replace('203.0.113.0/24', '127.0.0.0/8, 8.8.8.0/24'),
      settings: { broker: { proxies: ['127.0.0.1/32'] } },
    },
  );
  const ask = async (forwarded: string | undefined) => {
    const token = await issuer.token({ runner_environment: 'self-hosted' });
    const headers = { authorization: `Bearer ${token}`, ...(forwarded && { 'x-forwarded-for': forwarded }) };
    const { body } = await broker.send('POST', '/v1/access', { headers, body: '{"policy":"deploy-api"}' });
    return { decision: body['decision'], reasons: body.reasons };
  };
  try {
    for (const said of ['8.8.8.8', '8.8.8.8:51234', '127.0.0.2'])
      expect(await ask(said)).toEqual({ decision: 'granted', reasons: [] });
    for (const said of [undefined, 'unknown', '010.0.0.1', '127.0.0.1'])
      expect(await ask(said)).toMatchObject({
        decision: 'denied',
        reasons: [{ condition: 'network', state: 'failed', help: expect.stringContaining('X-Forwarded-For') }],
      });
    // The log names no address that nobody knows.
    const told = stream.appended.map(({ value }) => JSON.parse(value.toString())['client.address']);
    expect(told).toEqual(['8.8.8.8', '8.8.8.8', '127.0.0.2', undefined, undefined, undefined, undefined]);
  } finally {
    await broker.close();
    await Promise.all([issuer.close(), database.close()]);
  }
});
