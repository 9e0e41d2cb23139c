import { checkMints } from '@tripline/health/mints';
import { type Issuer, startIssuer } from '@tripline/testing/services/broker';
import { type Granting, known, startGranting } from '@tripline/testing/services/granting';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Gather } from './asking.ts';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

let s: Granting;
beforeEach(async () => {
  s = await startGranting(issuer);
});
afterEach(() => s.close());

describe('nothing is handed out', () => {
  const isEmpty = (body: object) => expect(JSON.stringify(body)).not.toContain('canary-');

  test('to a job that has ended, nor where it ends while its credential is minted', async () => {
    const broker = await s.start();
    s.github.before = s.endJob;
    const during = await broker.ask(await issuer.token());
    expect(during).toMatchObject({ status: 410, body: { error: { reason: 'job-ended' } } });
    isEmpty(during.body);
    expect(await s.grants()).toMatchObject([
      { nth: 0, state: 'ending', ending_why: 'job-ended', sealed: true },
      { nth: 1, state: 'dead', sealed: false },
    ]);
    s.github.before = undefined;
    expect(await broker.ask(await issuer.token())).toMatchObject({ status: 410 });
    expect(s.github.orders).toHaveLength(1);
    expect(s.told().filter(({ type }) => type === 'credential.minted')).toEqual([]);
  });

  test('where the log is away: what was minted is to be revoked', async () => {
    const broker = await s.start();
    s.stream.away = true;
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'log-away' } } });
    expect(answer.headers.get('retry-after')).toBe('2');
    isEmpty(answer.body);
    expect((await s.grants()).map(({ state, ending_why }) => [state, ending_why])).toEqual([
      ['ending', 'not-recorded'],
      ['ending', 'not-recorded'],
    ]);
    s.stream.away = false;
    expect((await broker.ask(await issuer.token())).status).toBe(201);
  });

  test('where the log is known to be away: nothing more is minted, and a token is as good as before once it is back', async () => {
    const broker = await s.start();
    s.stream.away = true;
    await broker.ask(await issuer.token());
    const token = await issuer.token();
    for (let nth = 0; nth < 3; nth += 1)
      expect(await broker.ask(token)).toMatchObject({ status: 503, body: { error: { reason: 'log-away' } } });
    expect(s.github.orders).toHaveLength(1);
    expect(s.vault.orders).toHaveLength(1);
    s.stream.away = false;
    expect((await broker.ask(token)).status).toBe(201);
  });

  test('of two credentials where one fails', async () => {
    const broker = await s.start();
    s.vault.fails = { result: 'refused', retry: false, reason: 'no-such-role', message: 'there is no role deploy' };
    const refused = await broker.ask(await issuer.token());
    expect(refused).toMatchObject({ status: 403, body: { error: { reason: 'mint-refused' } } });
    isEmpty(refused.body);
    const [one, two] = await s.grants();
    expect([one, two]).toMatchObject([{ state: 'ending', ending_why: 'not-recorded' }, { state: 'dead' }]);
    s.vault.fails = { result: 'unknown', reason: 'no-answer', message: 'no answer came' };
    const unclear = await broker.ask(await issuer.token());
    expect(unclear).toMatchObject({ status: 503, body: { error: { reason: 'mint-failed' } } });
    // It may be alive: the sweep asks for it.
    expect((await s.grants()).filter(({ id }) => id !== one.id)).toMatchObject([
      { state: 'ending' },
      { state: 'minting', ending_why: 'not-recorded' },
    ]);
    expect(s.stream.appended).toEqual([]);
  });

  test('that is other than asked and could not be revoked at once: it is kept sealed, to be revoked yet', async () => {
    const broker = await s.start();
    const keep = 'canary-github-wider-than-asked';
    const left = { handle: { installation: '31' }, keep, tokenHash: 'hash', expiresAtMs: Date.now() + 3_600_000 };
    s.github.fails = { result: 'unknown', reason: 'other-than-asked', message: 'it may write', left };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'mint-failed' } } });
    isEmpty(answer.body);
    expect(broker.logged()).not.toContain(keep);
    expect(await s.grants()).toMatchObject([
      { nth: 0, state: 'ending', ending_why: 'not-recorded', sealed: true },
      { nth: 1, state: 'dead', sealed: false },
    ]);
    expect(s.stream.appended).toEqual([]);
  });

  test('that is other than asked, where it cannot be recorded either: it is revoked by what is held in memory', async () => {
    const broker = await s.start();
    const keep = 'canary-github-wider-than-asked';
    s.github.alive.add(keep);
    const left = { handle: { installation: '31' }, keep, tokenHash: 'hash', expiresAtMs: Date.now() + 3_600_000 };
    s.github.fails = { result: 'unknown', reason: 'other-than-asked', message: 'it may write', left };
    await s.owner.pool.query('ALTER TABLE access_credentials ADD CONSTRAINT none CHECK (state <> $$live$$) NOT VALID');
    expect(await broker.ask(await issuer.token())).toMatchObject({ status: 503 });
    expect(s.github.alive.size).toBe(0);
  });

  test('where a provider makes none, which the doctor is told until one is made', async () => {
    const broker = await s.start();
    s.vault.fails = { result: 'refused', retry: false, reason: 'not-permitted', message: 'role deploy is not ours' };
    expect((await broker.ask(await issuer.token())).body.error!.reason).toBe('mint-refused');
    expect(await checkMints(s.owner)).toMatchObject([
      {
        state: 'broken',
        detail: expect.stringMatching(/no vault credential .*not-permitted: role deploy is not ours/),
      },
    ]);
    s.vault.fails = undefined;
    expect((await broker.ask(await issuer.token())).status).toBe(201);
    expect(await checkMints(s.owner)).toEqual([]);
  });

  test('where a provider makes none and says why in what Postgres does not take: the doctor is told all the same', async () => {
    const broker = await s.start();
    s.vault.fails = { result: 'refused', retry: false, reason: 'not-permitted', message: 'no\0\u001b[2J role' };
    expect((await broker.ask(await issuer.token())).body.error!.reason).toBe('mint-refused');
    expect(await checkMints(s.owner)).toMatchObject([{ detail: expect.stringMatching(/not-permitted: no.* role/) }]);
  });

  test('once the kill switch is on, between two mints too', async () => {
    const broker = await s.start();
    s.github.before = async () => {
      await s.owner.pool.query(
        `INSERT INTO switches (name, stopped, by) VALUES ('remediation', true, '{"name":"ada"}')`,
      );
    };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'kill-switch' } } });
    expect(s.vault.orders).toEqual([]);
    expect((await s.grants()).map(({ state }) => state)).toEqual(['ending', 'dead']);
    expect((await broker.ask(await issuer.token())).body.error!.reason).toBe('kill-switch');
    expect(s.github.orders).toHaveLength(1);
  });

  test('where the kill switch cannot be read, between two mints too: and nobody is told that it is on', async () => {
    const broker = await s.start();
    s.github.before = async () => {
      await s.owner.pool.query('ALTER TABLE switches RENAME TO away');
    };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'unavailable' } } });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(s.vault.orders).toEqual([]);
    expect((await s.grants()).map(({ state }) => state)).toEqual(['ending', 'dead']);
    expect(broker.logged()).toContain('the kill switch and open incidents could not be read; nothing is given');
  });

  test('where it cannot be recorded: it is revoked at once, by what is held in memory', async () => {
    const broker = await s.start();
    s.vault.before = async () => {
      await s.owner.pool.query(
        'ALTER TABLE access_credentials ADD CONSTRAINT none CHECK (state <> $$live$$) NOT VALID',
      );
    };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'unavailable' } } });
    isEmpty(answer.body);
    expect(s.vault.alive.size).toBe(0);
    expect(await s.grants()).toMatchObject([{ state: 'ending' }, { state: 'minting' }]);
    expect(broker.logged()).not.toContain('canary-');
  });

  test('beyond the cap of a policy within an hour, which is told', async () => {
    const broker = await s.start({ settings: { broker: { grantsPerHour: 2 } } });
    for (const status of [201, 201, 429]) expect((await broker.ask(await issuer.token())).status).toBe(status);
    expect(s.told().at(-1)).toMatchObject({
      type: 'access.decided',
      data: { 'tripline.access.decision': 'denied', 'tripline.access.reasons': [{ condition: 'cap' }] },
    });
  });

  test('beyond what one job may ask of a policy within an hour: others are given it all the same', async () => {
    const broker = await s.start({ settings: { broker: { grantsPerHour: 30 } } });
    const statuses: number[] = [];
    for (let nth = 0; nth < 21; nth += 1) statuses.push((await broker.ask(await issuer.token())).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 201), 429]);
    expect((await broker.ask(await issuer.token({ check_run_id: '7' }))).status).toBe(201);
  });

  test('by no cap for what nobody was handed, such as while a provider was away for minutes', async () => {
    const broker = await s.start({ settings: { broker: { grantsPerHour: 21 } } });
    s.github.fails = { result: 'unknown', reason: 'no-answer', message: 'no answer came' };
    const statuses: number[] = [];
    for (let nth = 0; nth < 22; nth += 1) statuses.push((await broker.ask(await issuer.token())).status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    s.github.fails = undefined;
    expect((await broker.ask(await issuer.token())).status).toBe(201);
    expect((await broker.ask(await issuer.token({ check_run_id: '7' }))).status).toBe(201);
  });

  test('before it is known which jobs have ended', async () => {
    let caughtUp = false;
    const broker = await s.start({ seams: { isCaughtUp: () => caughtUp } });
    const token = await issuer.token();
    expect(await broker.ask(token)).toMatchObject({ status: 503, body: { error: { reason: 'starting' } } });
    caughtUp = true;
    expect((await broker.ask(token)).status).toBe(201);
  });

  test('to a job that a person has yet to stand for: it is told where, and asks again', async () => {
    const link = { state: 'open', url: 'https://access.acme.example/step-up/1', number: '42' } as const;
    const broker = await s.start({ seams: { openStepUp: async () => link } });
    expect(await broker.ask(await issuer.token(), 'asks-somebody')).toMatchObject({
      status: 202,
      body: { links: { stepUp: link.url }, number: '42', retryAfterS: 5 },
    });
    expect(s.told()).toMatchObject([{ data: { 'tripline.access.decision': 'pending' } }]);
    const without = await s.start();
    expect(await without.ask(await issuer.token(), 'asks-somebody')).toMatchObject({ status: 403 });
  });

  test('to what is not known, nor to what is denied; each says so', async () => {
    const unknown: Gather = async () => ({
      known: { ...known, reviewed: { is: 'unknown', why: 'not told' } },
      things: [],
    });
    const broker = await s.start({ seams: { gather: unknown } });
    expect(await broker.ask(await issuer.token())).toMatchObject({
      status: 403,
      body: { error: { reason: 'not-known-yet' }, reasons: [{ condition: 'reviewed', state: 'unknown' }] },
    });
    expect(await broker.ask(await issuer.token({ ref: 'refs/heads/main-evil' }))).toMatchObject({
      status: 403,
      body: { error: { reason: 'denied' }, reasons: [{ condition: 'ref' }, { condition: 'reviewed' }] },
    });
    expect(await s.grants()).toEqual([]);
  });
});
