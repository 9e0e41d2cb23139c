import { systemClock } from '@tripline/runtime/clock';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { startBroker, startIssuer } from '@tripline/testing/services/broker';
import { expect, test } from 'vitest';

test('garbage has nobody asked for keys but once a cool-down, is kept nowhere, and leaves honest jobs their answer', async () => {
  const [issuer, stranger, database] = await Promise.all([startIssuer(), startIssuer(), freshDatabase()]);
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => Date.now() + aheadMs };
  const stream = fakeStream();
  const broker = await startBroker({ db: database.as('broker'), stream, issuer }, { clock });
  const reasons = async (tokens: readonly string[]) => {
    const answers = await Promise.all(tokens.map((token) => broker.ask(token)));
    return [...new Set(answers.map(({ body }) => body.error?.reason))].sort();
  };
  const tokens = (count: number, make: (nth: number) => Promise<string>) =>
    Promise.all(Array.from({ length: count }, (_, nth) => make(nth)));
  try {
    const unheard = await tokens(30, (nth) => stranger.token({ iss: `${stranger.jwksUri}/${nth}` }));
    expect(await reasons(unheard)).toEqual(['issuer-unknown']);
    expect(await reasons(['x', 'a.b.c', `${'A'.repeat(3000)}.AAAA.AAAA`])).toEqual(['token-malformed']);
    expect([issuer.requests.length, stranger.requests.length]).toEqual([0, 0]);

    const lures = { jku: stranger.jwksUri, x5u: stranger.jwksUri, jwk: stranger.key.publicJwk };
    const underNoKey = await tokens(30, (nth) => stranger.token({}, { kid: `key-${nth + 2}`, ...lures }));
    expect(await reasons(underNoKey)).toEqual(['key-unknown', 'keys-unavailable']);
    expect([issuer.requests.length, stranger.requests.length]).toEqual([1, 0]);
    expect((await broker.ask(await issuer.token())).status).toBe(200);
    aheadMs = 31_000;
    expect(await reasons(underNoKey)).toEqual(['key-unknown', 'keys-unavailable']);
    expect([issuer.requests.length, stranger.requests.length]).toEqual([2, 0]);

    expect(await reasons(await tokens(30, () => stranger.token()))).toEqual(['bad-signature']);
    const { rows } = await database.db.pool.query('SELECT count(*)::int AS spent FROM access_spent');
    expect([rows, stream.batches]).toEqual([[{ spent: 1 }], [1]]);
  } finally {
    await broker.close();
    await Promise.all([issuer.close(), stranger.close(), database.close()]);
  }
});
