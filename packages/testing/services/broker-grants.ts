import { randomUUID } from 'node:crypto';
import { createEndMeasures } from '@tripline/broker/end-measures';
import type { JobKeys } from '@tripline/broker/keys';
import { revokeDue } from '@tripline/broker/revoke';
import { recordMinted } from '@tripline/broker/store/credentials';
import { jobKeyOf, lockEnds, lockJob, noteEnds } from '@tripline/broker/store/ends';
import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';

/** A moment at which tests begin, ms since the epoch. */
export const startMs = Date.parse('2026-03-02T12:00:00Z');

/** Who asked, as a token of GitHub proves it. */
export const workload = {
  ...{
    provider: 'github',
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'repo:acme/api:ref:refs/heads/main',
  },
  ...{
    tokenId: { of: 'jti', sha256: 'b'.repeat(64) },
    issuedAtMs: startMs,
    expiresAtMs: startMs + 300_000,
    cautions: [],
  },
  ...{ owner: { id: '65', name: 'acme' }, repository: { id: '74', name: 'acme/api' }, run: { id: '9', attempt: 1 } },
  ...{ checkRunId: '1', caller: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main', sha: null } },
  workflow: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main', sha: 'c'.repeat(40) },
  ...{ event: 'push', ref: 'refs/heads/main', sha: 'd'.repeat(40), headRef: null, baseRef: null },
  ...{ environment: 'production', runnerEnvironment: 'github-hosted', actor: { id: '5', name: 'ada' } },
} as const;

export type TestGrant = {
  id: string;
  keys: JobKeys;
  workspace?: string;
  policy?: string;
  things?: readonly string[];
  until?: 'job' | 'run';
  onIncident?: 'atOnce' | 'afterJob';
  incidentSeverity?: 'low' | 'medium' | 'high' | 'critical';
  longestUntilMs?: number;
  askedAtMs?: number;
  /** Its credential: being minted, or recorded. */
  credential?: 'minting' | 'live';
  kind?: 'github' | 'aws' | 'vault' | 'gitlab';
  sealed?: Buffer | null;
  expiresAtMs?: number;
};

/** A grant as the exchange writes it, with one credential. For tests only. */
export async function addGrant(db: Db, grant: TestGrant): Promise<void> {
  const { id, keys, credential = 'live', kind = 'github', askedAtMs = startMs } = grant;
  await inTransaction(db, async (client) => {
    await lockJob(client, keys);
    await client.query(
      `INSERT INTO access_grants (id, workspace, policy, policy_sha256, tier, job_key, run_key, job, things, until, on_incident, asked_at, longest_until, incident_severity)
       VALUES ($1, $2, $3, $4, 'production', $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        ...[id, grant.workspace ?? 'acme', grant.policy ?? 'deploy-api', 'a'.repeat(64), jobKeyOf(keys), keys.run],
        ...[JSON.stringify(workload), grant.things ?? ['repository:74'], grant.until ?? 'job'],
        ...[grant.onIncident ?? 'atOnce', new Date(askedAtMs), new Date(grant.longestUntilMs ?? askedAtMs + 3_600_000)],
        grant.incidentSeverity ?? null,
      ],
    );
    await client.query(
      `INSERT INTO access_credentials (grant_id, nth, kind, scope, state) VALUES ($1, 0, $2, '{}', 'minting')`,
      [id, kind],
    );
  });
  if (credential === 'live') await recordMinted(db, keys, minted(grant));
}

/** What a provider minted for it. */
export const minted = ({
  id,
  sealed = Buffer.from('sealed'),
  expiresAtMs = startMs + 3_600_000,
  askedAtMs = startMs,
}: Omit<TestGrant, 'keys'>) => ({
  ...{ grant: id, nth: 0, handle: { name: id }, sealed, tokenHash: `hash-${id}`, mintedAtMs: askedAtMs, expiresAtMs },
});

/** By grant: the state of its credential, and why it ends. */
export async function grantStates(db: Db): Promise<Record<string, string>> {
  const { rows } = await db.pool.query(
    `SELECT id, state || coalesce(' ' || ending_why, '') AS is FROM access_grants JOIN access_credentials ON grant_id = id`,
  );
  return Object.fromEntries(rows.map(({ id, is }) => [id, is]));
}

/** Ends jobs or runs by their keys, as the watch does. */
export function endJobs(db: Db, keys: readonly string[], of: 'job' | 'run' = 'job'): Promise<void> {
  return inTransaction(db, async (client) => {
    await lockEnds(client, keys);
    const ends = keys.map((key) => ({ of, key, endedAtMs: startMs }));
    await noteEnds(client, ends, startMs);
    await endGrants(client, of === 'job' ? { jobs: keys } : { runs: keys }, { why: `${of}-ended`, atMs: startMs });
  });
}

/** Jobs that end while what they asked for is being recorded, four at once. @returns how many keep it. */
export async function raceEnds(db: Db, { from = 0, to }: { from?: number; to: number }): Promise<number> {
  let next = from;
  const runner = async () => {
    for (let n = next++; n < to; n = next++) {
      const id = `raced-${n}`;
      const keys = { run: `acme/github/github.com/74/${n}/1`, job: `github/github.com/74/${n}/1/1` };
      const given = addGrant(db, { id, keys, credential: 'minting' }).then(() =>
        recordMinted(db, keys, minted({ id })),
      );
      await Promise.all([given, endJobs(db, [keys.job])]);
    }
  };
  await Promise.all(Array.from({ length: 4 }, runner));
  return Object.values(await grantStates(db)).filter((state) => state.startsWith('live')).length;
}

/** Revokes what is due, as the broker does at a provider at which all goes well. @returns what the log would be told. */
export async function revokeAtProvider(db: Db): Promise<{ type: string; data: object }[]> {
  const told: { type: string; data: object }[] = [];
  const revoker = {
    ...{ db, clock: systemClock, logger: createLogger({ service: 'broker', level: 'silent' }) },
    measures: createEndMeasures(createMetrics({ service: 'broker' }), async () => ({ leftAlive: 0, live: [] })),
    minterOf: () => ({ revoke: async () => ({ result: 'dead', by: 'revoked' }) as const }),
    unseal: () => 'a value',
    append: async (events: readonly { type: string; data: object }[]) => told.push(...events),
  };
  await revokeDue(revoker, randomUUID());
  return told;
}
