import { type IssuerKey, makeIssuerKey } from '@tripline/testing/id-tokens';
import { exportJWK, generateKeyPair } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { createKeySet, type KeyEvent } from './key-set.ts';

const jwksUri = 'https://issuer.example/jwks';
const hourMs = 3_600_000;
const day = 24 * hourMs;

let [first, second, third]: IssuerKey[] = [];
beforeAll(async () => {
  [first, second, third] = await Promise.all(['1', '2', '3'].map((kid) => makeIssuerKey(kid)));
});

type Answer = {
  keys?: unknown;
  body?: string;
  status?: number;
  headers?: Record<string, string>;
  manner?: 'silent' | 'refused';
};

/** A key set over an issuer that answers what `answer` is set to, under a clock that is moved by hand. */
function keySetOf(answer: Answer, thumbprints?: string[]) {
  let nowMs = Date.parse('2026-11-27T12:00:00Z');
  const asked: RequestInit[] = [];
  const events: KeyEvent[] = [];
  let heard = () => {};
  const timers: (() => void)[] = [];
  const world = { answer };
  const keySet = createKeySet(
    { jwksUri, thumbprints },
    {
      clock: { nowMs: () => nowMs, pause: () => new Promise((resolve) => timers.push(resolve)) },
      tell: (event) => {
        events.push(event);
        heard();
      },
      ask: async (url, init) => {
        expect(url).toBe(jwksUri);
        asked.push(init!);
        const { keys, body = JSON.stringify({ keys }), status = 200, headers = {}, manner } = world.answer;
        if (manner === 'silent') return new Promise(() => {});
        if (manner === 'refused')
          throw Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } });
        return new Response(body, { status, headers });
      },
    },
  );
  return {
    world,
    asked,
    events,
    timers,
    find: keySet.find,
    nextEvent: () =>
      new Promise<void>((resolve) => {
        heard = resolve;
      }),
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

const found = { key: expect.anything() };
const unknown = { refusal: { status: 401, reason: 'key-unknown' } };
const unavailable = (retryAfterS: number) => ({ refusal: { status: 503, reason: 'keys-unavailable', retryAfterS } });

test('a key that was rotated in is found once the cool-down is over, and is not called unknown before', async () => {
  const { find, wait, world, asked } = keySetOf({ keys: [first!.publicJwk] });
  expect(await find('1')).toMatchObject(found);
  world.answer = { keys: [first!.publicJwk, second!.publicJwk] };
  expect(await find('2')).toMatchObject(unavailable(30));
  wait(29_999);
  expect(await find('2')).toMatchObject(unavailable(1));
  expect(await find('1')).toMatchObject(found);
  expect(asked).toHaveLength(1);
  wait(1);
  expect(await find('2')).toMatchObject(found);
  expect(await find('1')).toMatchObject(found);
  expect(asked).toHaveLength(2);
});

test('two hundred unknown keys at once are one request, then none for the cool-down; the one that asked is told', async () => {
  const { find, wait, asked } = keySetOf({ keys: [first!.publicJwk] });
  const all = await Promise.all(Array.from({ length: 200 }, (_, nth) => find(`x${nth}`)));
  expect(asked).toHaveLength(1);
  expect(all[0]).toMatchObject(unknown);
  for (const one of all.slice(1)) expect(one).toMatchObject(unavailable(30));
  wait(10_000);
  expect(await find('y')).toMatchObject(unavailable(20));
  expect(await find('1')).toMatchObject(found);
  expect(asked).toHaveLength(1);
  wait(20_000);
  expect(await find('y')).toMatchObject(unknown);
  expect(asked).toHaveLength(2);
});

test('keys serve for a day though they cannot be read anew, which is told after an hour', async () => {
  const { find, wait, world, asked, events, nextEvent } = keySetOf({ keys: [first!.publicJwk] });
  await find('1');
  world.answer = { status: 500 };
  wait(hourMs);
  // The key that is known is given at once, the request goes on beside it.
  const told = nextEvent();
  expect(await find('1')).toMatchObject(found);
  await told;
  expect(asked).toHaveLength(2);
  expect(events.slice(1)).toEqual([
    { kind: 'keys-not-read', jwksUri, sinceMs: expect.any(Number), fault: 'it answered 500' },
  ]);
  wait(day - hourMs - 1);
  expect(await find('1')).toMatchObject(found);
  wait(1);
  expect(await find('1')).toMatchObject(unavailable(30));
});

test('a key that its issuer took back proves nothing once its keys are read again', async () => {
  const { find, wait, world, nextEvent } = keySetOf({ keys: [first!.publicJwk, second!.publicJwk] });
  await find('1');
  world.answer = { keys: [second!.publicJwk] };
  wait(hourMs);
  const read = nextEvent();
  await find('1');
  await read;
  wait(30_000);
  expect(await find('1')).toMatchObject(unknown);
  expect(await find('2')).toMatchObject(found);
});

test('a set in which no key is left is told, and serves', async () => {
  const { find, wait, world, events } = keySetOf({ keys: [first!.publicJwk, second!.publicJwk] });
  await find('1');
  wait(30_000);
  world.answer = { keys: [second!.publicJwk, third!.publicJwk] };
  expect(await find('3')).toMatchObject(found);
  expect(events.map(({ kind }) => kind)).toEqual(['keys-read', 'keys-read']);
  wait(30_000);
  world.answer = { keys: [first!.publicJwk] };
  expect(await find('1')).toMatchObject(found);
  const thumbprints = [first!.thumbprint];
  expect(events.at(-1)).toEqual({ kind: 'all-keys-replaced', jwksUri, thumbprints });
});

test('only keys whose thumbprints are named are believed, where some are', async () => {
  const { find } = keySetOf({ keys: [first!.publicJwk, second!.publicJwk] }, [second!.thumbprint]);
  expect(await find('1')).toMatchObject(unknown);
  expect(await find('2')).toMatchObject(found);
});

describe('nothing is known from', () => {
  const bodies: [string, Answer][] = [
    ['an answer of 500', { status: 500, body: '{"keys":[]}' }],
    ['a redirect', { status: 302, headers: { location: 'https://evil.example/' } }],
    ['an empty answer', { body: '' }],
    ['what is no JSON', { body: '<html>' }],
    ['a list', { body: '[]' }],
    ['no keys', { keys: [] }],
    ['keys that are no list', { keys: { '1': {} } }],
    ['a set whose name stands twice', { body: '{"keys":[],"keys":[]}' }],
    ['a connection that is refused', { manner: 'refused' }],
    ['more than 256 KiB', { body: `{"keys":[],"x":"${'x'.repeat(256 * 1024)}"}` }],
    ['more than a hundred keys', { keys: Array.from({ length: 101 }, () => ({})) }],
  ];
  test.each(bodies)('%s', async (_, answer) => {
    const { find, asked, wait, world } = keySetOf(answer);
    expect(await find('1')).toMatchObject(unavailable(30));
    expect(await find('1')).toMatchObject(unavailable(30));
    expect(asked).toEqual([expect.objectContaining({ redirect: 'manual' })]);
    wait(30_000);
    world.answer = { keys: [first!.publicJwk] };
    expect(await find('1')).toMatchObject(found);
  });

  test('an issuer that does not answer within three seconds; its request is ended', async () => {
    const { find, asked, timers } = keySetOf({ manner: 'silent' });
    const waiting = find('1');
    expect(timers).toHaveLength(1);
    timers[0]!();
    expect(await waiting).toMatchObject(unavailable(30));
    expect(asked[0]!.signal!.aborted).toBe(true);
  });
});

describe('a key is passed over', () => {
  const oddities: [string, () => Promise<Record<string, unknown>>][] = [
    ['that is symmetric', async () => ({ kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0', alg: 'HS256' })],
    ['that says to be for RS256 and is symmetric', async () => ({ kty: 'oct', k: 'c2VjcmV0', alg: 'RS256' })],
    ['of an elliptic curve', async () => exportJWK((await generateKeyPair('ES256')).publicKey)],
    ['for another algorithm', async () => ({ ...third!.publicJwk, alg: 'PS256' })],
    ['for encryption', async () => ({ ...third!.publicJwk, use: 'enc' })],
    ['that is not to verify with', async () => ({ ...third!.publicJwk, key_ops: ['encrypt'] })],
    ['with exponent 1', async () => ({ ...third!.publicJwk, e: 'AQ' })],
    ['with exponent 3', async () => ({ ...third!.publicJwk, e: 'Aw' })],
    ['of 1,024 bits', async () => ({ ...third!.publicJwk, n: third!.publicJwk.n!.slice(0, 171) })],
    ['without its modulus', async () => ({ ...third!.publicJwk, n: undefined })],
    ['that is nothing', async () => ({})],
  ];
  test.each(oddities)('%s; its neighbour under the same id serves', async (_, odd) => {
    const { find } = keySetOf({ keys: [{ ...(await odd()), kid: '1' }, first!.publicJwk] });
    expect(await find('1')).toMatchObject(found);
    const alone = keySetOf({ keys: [{ ...(await odd()), kid: '9' }, first!.publicJwk] });
    expect(await alone.find('9')).toMatchObject(unknown);
  });

  test('whose id another has, too', async () => {
    const { find } = keySetOf({ keys: [{ ...second!.publicJwk, kid: '1' }, first!.publicJwk, third!.publicJwk] });
    expect(await find('1')).toMatchObject(unknown);
    expect(await find('3')).toMatchObject(found);
  });

  test('of which the private half is published: it proves nothing any more', async () => {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const { find } = keySetOf({ keys: [{ ...(await exportJWK(privateKey)), kid: '1' }, second!.publicJwk] });
    expect(await find('1')).toMatchObject(unknown);
  });
});
