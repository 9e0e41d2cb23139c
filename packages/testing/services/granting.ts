import type { Gather } from '@tripline/broker/asking';
import { lockEnds, noteEnds } from '@tripline/broker/store/ends';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { GiveKind } from '@tripline/integrations/minter';
import { fakeStream } from '../fakes/stream.ts';
import { freshDatabase } from '../postgres/postgres.ts';
import { fakeMinter, type Issuer, startBroker } from './broker.ts';

/** What of an ordinary job is asked for: two credentials, one where no incident may be open, and one that a person stands for. */
export const policies = `
audience: https://access.acme.example
tiers: { production: [production], dev: [preview] }
policies:
  deploy-api:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/release.yml@refs/heads/main
        workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
    needs: { reviewed: true }
    give:
      - { github: { repositories: [acme/api], permissions: { contents: read } } }
      - { vault: { role: deploy, for: 30m } }
    max: 45m
  minds-incidents:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: production } }
    needs: { reviewed: true, noIncident: high }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
  asks-somebody:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    needs: { mfa: { of: trigger, within: 15m } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: write } } }]
`;

/** All that can be known of a job, and all of it well. */
export const known: Awaited<ReturnType<Gather>>['known'] = {
  ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
  ...{ runner: { group: 'prod', isKnown: true }, incidents: [], address: '127.0.0.1', approval: undefined },
};
export const repositoryKey = 'github:github.com:74';
export const gather: Gather = async () => ({
  known,
  things: [{ kind: 'repository', id: 'acme/api', key: repositoryKey }],
});
/** Of the job of an ordinary token. */
export const jobKey = 'acme/github/github.com/74/9/2/2832853555';

type Started = Awaited<ReturnType<typeof startBroker>>;

/** Brokers over a database of their own, a fake log and providers in memory, which give by `policies`. For tests only. */
export async function startGranting(issuer: Issuer) {
  const fresh = await freshDatabase();
  const owner = fresh.db;
  const stream = fakeStream();
  const [github, vault] = [fakeMinter('github'), fakeMinter('vault')];
  const running: Started[] = [];
  return {
    ...{ owner, stream, github, vault },
    async start(options: Parameters<typeof startBroker>[1] = {}): Promise<Started> {
      const of = (kind: GiveKind) => ({ github, vault })[kind as 'github' | 'vault'] as never;
      const seams = { gather, minters: { of }, ...options.seams };
      const parts = { db: fresh.as('broker'), stream, issuer };
      const broker = await startBroker(parts, { gives: true, policies, ...options, seams });
      running.push(broker);
      return broker;
    },
    /** Each credential of each grant, in order. */
    grants: async () =>
      (
        await owner.pool.query(
          `SELECT g.id, nth, kind, state, ending_why, sealed IS NOT NULL AS sealed FROM access_grants g
           LEFT JOIN access_credentials ON grant_id = g.id ORDER BY asked_at, g.id, nth`,
        )
      ).rows,
    /** What was appended to the log. */
    told: () =>
      stream.appended.map(({ headers, value }) => ({
        type: headers['ce_type']!.replace('dev.cdeventsx.tripline-', ''),
        id: headers['ce_id']!,
        data: JSON.parse(value.toString()) as Record<string, unknown>,
      })),
    /** The job ends, as the watch has it end. */
    endJob: () =>
      inTransaction(owner, async (client) => {
        await lockEnds(client, [jobKey]);
        await noteEnds(client, [{ of: 'job', key: jobKey, endedAtMs: Date.now() }], Date.now());
        await endGrants(client, { jobs: [jobKey] }, { why: 'job-ended', atMs: Date.now() });
      }),
    async close() {
      for (const one of running.splice(0)) await one.close();
      await fresh.close();
    },
  };
}
export type Granting = Awaited<ReturnType<typeof startGranting>>;
