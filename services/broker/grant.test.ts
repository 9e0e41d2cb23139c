import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleLock } from '@tripline/access/access.example';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { GiveKind } from '@tripline/integrations/minter';
import { fakeMinter, type Issuer, startIssuer } from '@tripline/testing/services/broker';
import {
  type Granting,
  gather,
  jobKey,
  policies,
  repositoryKey,
  startGranting,
} from '@tripline/testing/services/granting';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { createSeals } from './seal.ts';

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

const role = 'arn:aws:iam::111122223333:role/deploy-api';

describe('a job that its policy grants', () => {
  test('is minted what the files narrow that its policy names', async () => {
    const text = policies.replace(
      'vault: { role: deploy, for: 30m }',
      `aws: { role: '${role}', for: 30m, policy: aws/deploy.json }`,
    );
    const inForce = { file: readPolicies(text), lock: readLock(exampleLock), sha256: 'a'.repeat(64), revision: null };
    const aws = fakeMinter('aws');
    const of = (kind: GiveKind) => ({ github: s.github, aws })[kind as 'github' | 'aws'] as never;
    const files = { 'aws/deploy.json': '{}' };
    const broker = await s.start({ seams: { policies: () => ({ ...inForce, files }), minters: { of } } });
    expect((await broker.ask(await issuer.token())).status).toBe(201);
    expect(aws.orders).toMatchObject([{ give: { policy: 'aws/deploy.json' }, files }]);
  });

  test('is given each credential, which lies sealed and stands in the log before it is handed out', async () => {
    const broker = await s.start();
    const gate = Promise.withResolvers<void>();
    s.stream.gate = gate.promise;
    let isAnswered = false;
    const asking = broker.ask(await issuer.token()).then((answer) => {
      isAnswered = true;
      return answer;
    });
    await expect.poll(() => s.stream.batches, { interval: 5 }).toEqual([3]);
    expect(isAnswered).toBe(false);
    gate.resolve();
    const { status, body } = await asking;
    const [token, secret] = [[...s.github.alive][0], [...s.vault.alive][0]];
    expect({ status, body }).toEqual({
      status: 201,
      body: { grant: expect.any(String), expiresAt: expect.any(String), github: { token }, vault: { token: secret } },
    });
    const id = body['grant'];
    expect(await s.grants()).toMatchObject([
      { id, nth: 0, kind: 'github', state: 'live', ending_why: null, sealed: true },
      { id, nth: 1, kind: 'vault', state: 'live', ending_why: null, sealed: true },
    ]);
    // By it the first grant of a policy as it stands is told of, whatever else of the file changes.
    const entry = { 'tripline.access.entry_sha256': expect.stringMatching(/^[0-9a-f]{64}$/) };
    expect(s.told()).toMatchObject([
      { type: 'access.decided', id: `access:${id}:decided`, data: { 'tripline.access.decision': 'granted' } },
      {
        type: 'credential.minted',
        id: `access:${id}:minted:0`,
        data: { 'tripline.credential.kind': 'github', ...entry },
      },
      {
        type: 'credential.minted',
        id: `access:${id}:minted:1`,
        data: { 'tripline.credential.kind': 'vault', ...entry },
      },
    ]);
    expect(s.told()[0]!.data).not.toHaveProperty('tripline.access.dry_run');
    const { rows } = await s.owner.pool.query('SELECT * FROM access_grants');
    expect(rows).toMatchObject([{ job_key: jobKey, tier: 'production', until: 'job', things: [repositoryKey] }]);
    const kept = await s.owner.pool.query('SELECT sealed FROM access_credentials WHERE nth = 0');
    expect(
      createSeals(['a-key-of-seals-for-tests-alone']).open(kept.rows[0].sealed, { grantId: String(id), nth: 0 }),
    ).toBe(token);
    expect(s.github.orders[0]).toMatchObject({ grantId: id, tier: 'production', run: 'acme/api#9' });
    expect(s.github.orders[0]!.pins['acme/api']).toEqual({ id: '74', owner: '65' });
    expect(Date.parse(String(body['expiresAt'])) - Date.now()).toBeLessThanOrEqual(45 * 60_000);
  });

  test('gets one of 50 requests with one token, and again 409 after a restart and at another replica', async () => {
    const [one, other] = [await s.start(), await s.start()];
    const token = await issuer.token();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, nth) => (nth % 2 === 0 ? one : other).ask(token)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(49);
    expect((await (await s.start()).ask(token)).body.error!.reason).toBe('token-spent');
    expect(s.github.orders).toHaveLength(1);
  });

  test('that asks again gets another, and the former is to be revoked', async () => {
    const broker = await s.start();
    const first = await broker.ask(await issuer.token());
    const second = await broker.ask(await issuer.token());
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await s.grants()).toMatchObject([
      ...[0, 1].map((nth) => ({ id: first.body['grant'], nth, state: 'ending', ending_why: 'asked-again' })),
      ...[0, 1].map((nth) => ({ id: second.body['grant'], nth, state: 'live', ending_why: null })),
    ]);
  });

  test('is given nothing by an incident that opens after what is open was read', async () => {
    const entities = [{ kind: 'repository' as const, id: 'acme/api', key: repositoryKey }];
    const broker = await s.start({
      seams: {
        gather: async (...asked) => {
          const read = await gather(...asked);
          await recordFindings(s.owner, [{ ...someFinding('p', { person: 'p' }), severity: 'high', entities }]);
          return read;
        },
      },
    });
    expect(await broker.ask(await issuer.token(), 'minds-incidents')).toMatchObject({
      ...{ status: 403, body: { error: { reason: 'denied' }, reasons: [{ condition: 'incident' }] } },
    });
    expect(s.github.orders).toEqual([]);
    expect(await s.grants()).toMatchObject([{ state: 'dead', ending_why: 'not-recorded', sealed: false }]);
    expect(s.told()).toMatchObject([{ type: 'access.decided', data: { 'tripline.access.decision': 'denied' } }]);
  });

  test('is given nothing by policies that changed while it was decided', async () => {
    const broker = await s.start({
      seams: {
        gather: (...asked) => {
          writeFileSync(join(broker.folder, 'access.yaml'), policies.replace('max: 45m', 'max: 30m'));
          return gather(...asked);
        },
      },
    });
    expect(await broker.ask(await issuer.token())).toMatchObject({
      ...{ status: 409, body: { error: { reason: 'ended-meanwhile' } } },
    });
    expect(s.github.orders).toEqual([]);
    expect((await s.grants()).map(({ state }) => state)).toEqual(['dead', 'dead']);
  });

  test('is given nothing by policies that changed between two mints, and nothing is read that nobody waits for', async () => {
    const broker = await s.start();
    s.github.before = async () => {
      writeFileSync(join(broker.folder, 'access.yaml'), policies.replace('max: 45m', 'max: 30m'));
    };
    const sent = vi.spyOn(pg.Client.prototype, 'query');
    const answer = await broker.ask(await issuer.token());
    // Where Postgres is away by then, a reading that nobody waits for ends the process.
    const readings = sent.mock.calls.filter(([query]) => (query as { name?: string }).name === 'access-meanwhile');
    sent.mockRestore();
    expect(answer).toMatchObject({ status: 409, body: { error: { reason: 'ended-meanwhile' } } });
    expect(s.vault.orders).toEqual([]);
    expect(readings).toHaveLength(1);
  });

  test('that gives back what nobody can have been given is told of no such grant', async () => {
    const broker = await s.start();
    expect((await broker.giveBack(await issuer.token(), 'a%00b')).status).toBe(404);
  });

  test('gives it back by a fresh token of its own; another job is told of no such grant', async () => {
    const broker = await s.start();
    const grant = String((await broker.ask(await issuer.token())).body['grant']);
    expect(await broker.giveBack(await issuer.token({ check_run_id: '7' }), grant)).toMatchObject({
      status: 404,
      body: { error: { reason: 'grant-unknown' } },
    });
    const token = await issuer.token();
    expect(await broker.giveBack(token, grant)).toMatchObject({ status: 202, body: { grant, state: 'ending' } });
    expect(await broker.giveBack(token, grant)).toMatchObject({ status: 409 });
    expect(await broker.giveBack(await issuer.token(), grant)).toMatchObject({ status: 202 });
    expect((await s.grants()).map(({ state, ending_why }) => [state, ending_why])).toEqual([
      ['ending', 'given-back'],
      ['ending', 'given-back'],
    ]);
  });
});
