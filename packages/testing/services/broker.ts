import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exampleLock, examplePolicies } from '@tripline/access/access.example';
import { type BrokerSeams, createBroker } from '@tripline/broker/broker';
import { createLocalPolicies } from '@tripline/broker/local-policies';
import type { Config } from '@tripline/config/config';
import { type GivenSettings, settings } from '@tripline/config/settings';
import type { Db } from '@tripline/db/database';
import type { GiveKind, MintAnswer, MintOrder, Revocable, Revoked } from '@tripline/integrations/minter';
import { type Clock, systemClock } from '@tripline/runtime/clock';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { credentialHash } from '@tripline/runtime/redact';
import type { Stream } from '@tripline/stream/stream';
import { type IssuerKey, makeIssuerKey } from '../id-tokens.ts';
import { startFakeService } from '../integration.conformance.ts';
import { brokerKey } from '../internal-key.ts';

export const audience = 'https://access.acme.example';
const { claims: jobClaims } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../identity/github/fixtures/job.json'), 'utf8'),
) as { claims: Record<string, unknown> };

/** GitHub’s issuer, on this machine: signs as it does, and answers with its keys. */
export async function startIssuer() {
  const key: IssuerKey = await makeIssuerKey('key-1');
  const service = await startFakeService(() => ({ status: 200, body: JSON.stringify({ keys: [key.publicJwk] }) }));
  return {
    key,
    jwksUri: `${service.url}/.well-known/jwks`,
    requests: service.requests,
    close: service.close,
    /** A token of an ordinary job, as `claims` change it; another one at each call. */
    token(claims: Record<string, unknown> = {}, header?: Record<string, unknown>): Promise<string> {
      const nowS = Math.floor(Date.now() / 1000);
      const times = { iat: nowS, nbf: nowS - 600, exp: nowS + 300 };
      return key.sign({ ...jobClaims, jti: randomUUID(), ...times, ...claims }, header);
    },
  };
}
export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

export type BrokerAnswer = {
  status: number;
  headers: Headers;
  body: {
    error?: { reason: string; message: string };
    reasons?: { condition: string; state: string; message: string; help: string }[];
    [field: string]: unknown;
  };
};

/** A provider of credentials in memory, which mints, revokes and fails as it is told. For tests only. */
export function fakeMinter(kind: GiveKind) {
  const alive = new Set<string>();
  const minter = {
    kind,
    /** Values that let somebody in. */
    alive,
    orders: [] as MintOrder[],
    /** What it answers in place of a credential. */
    fails: undefined as MintAnswer | undefined,
    /** Runs before it mints. */
    before: undefined as (() => Promise<void>) | undefined,
    async mint(order: MintOrder): Promise<MintAnswer> {
      minter.orders.push(order);
      await minter.before?.();
      if (minter.fails !== undefined) return minter.fails;
      const value = `canary-${kind}-${randomUUID()}`;
      alive.add(value);
      return {
        result: 'minted',
        minted: {
          ...{ credential: { token: value }, handle: { at: 'nowhere' }, keep: value, scopes: ['contents:read'] },
          ...{ tokenHash: credentialHash(value), expiresAtMs: Date.now() + 3_600_000 },
        },
      };
    },
    async revoke({ value = '' }: Revocable): Promise<Revoked> {
      return { result: 'dead', by: alive.delete(value) ? 'revoked' : 'dead-already' };
    },
    check: async () => ({ result: 'unknown', detail: 'nobody asked' }) as const,
  };
  return minter;
}

/** A broker that listens on a port of its own, over a given database and log. For tests only. */
export async function startBroker(
  { db, stream, issuer }: { db: Db; stream: Stream; issuer: Issuer },
  options: { settings?: GivenSettings; policies?: string; clock?: Clock; seams?: BrokerSeams; gives?: boolean } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-broker-'));
  writeFileSync(join(folder, 'access.yaml'), options.policies ?? examplePolicies);
  writeFileSync(join(folder, 'access.lock'), exampleLock);
  const policies = createLocalPolicies(folder, 'access.yaml', audience);
  const first = policies();
  if ('fault' in first) throw new Error(first.fault);
  const giving = {
    policy: { repository: 'acme/access' },
    apps: [{ id: '1', privateKey: 'an App’s key for tests alone' }],
    sealingKeys: ['a-key-of-seals-for-tests-alone'],
  };
  const config: Config = {
    ...settings.parse({
      identity: { audience, github: [{ owners: ['65'], jwksUri: issuer.jwksUri }] },
      ...options.settings,
      broker: {
        ...(options.gives ? giving : { policy: { file: 'access.yaml' } }),
        eventKeys: [brokerKey],
        ...options.settings?.broker,
      },
    }),
    ...{ dataDir: folder, baseDir: folder, file: null, remarks: [] },
  };
  const lines: string[] = [];
  const logger = createLogger(
    { service: 'broker', level: 'trace' },
    { write: (line: string) => void lines.push(line) },
  );
  const metrics = createMetrics({ service: 'broker' });
  const parts = { config, db, stream, logger, clock: options.clock ?? systemClock, metrics };
  const broker = await createBroker(parts, {
    ...(options.gives ? { policies } : {}),
    isCaughtUp: () => true,
    waitMs: 0,
    ...options.seams,
  });
  const app = createHttp({ ready: broker.ready });
  broker.routes(app);
  const base = await app.listen({ host: '127.0.0.1', port: 0 });

  async function send(method: string, path: string, init: RequestInit): Promise<BrokerAnswer> {
    const response = await fetch(`${base}${path}`, { method, ...init });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as BrokerAnswer['body'],
    };
  }
  return {
    base,
    folder,
    /** What was logged so far. */
    logged: () => lines.join(''),
    metrics: () => metrics.metrics(),
    send,
    /** Asks for access as a workflow does. */
    ask: (token: string, policy = 'deploy-api') =>
      send('POST', '/v1/access', {
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ policy }),
      }),
    giveBack: (token: string, grant: string) =>
      send('DELETE', `/v1/access/${grant}`, { headers: { authorization: `Bearer ${token}` } }),
    async close() {
      await app.close();
      await broker.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
