import { createHash } from 'node:crypto';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { createRateLimit } from '@tripline/broker/address-limit';
import type { Answer } from '@tripline/broker/answer';
import type { ExchangeParts } from '@tripline/broker/asking';
import { startEnding } from '@tripline/broker/ending';
import { exchange } from '@tripline/broker/exchange';
import { createGather } from '@tripline/broker/gather';
import { returnGrant } from '@tripline/broker/give-back';
import type { CurrentPolicies, PoliciesInForce } from '@tripline/broker/local-policies';
import { watchLog } from '@tripline/broker/log-away';
import { createMeasures } from '@tripline/broker/measures';
import { createRooms } from '@tripline/broker/rooms';
import { createSeals } from '@tripline/broker/seal';
import type { SweepParts } from '@tripline/broker/sweep';
import type { Db } from '@tripline/db/database';
import type { Workload } from '@tripline/identity/workload';
import { createGitHubMinter } from '@tripline/integrations/github/mint';
import type { Minters } from '@tripline/integrations/minters';
import type { Logger } from '@tripline/runtime/logger';
import type { Stream } from '@tripline/stream/stream';
import { config, platform } from '../services.ts';
import type { Life } from '../world.ts';
import { policyNames } from './jobs.ts';
import type { Providers } from './providers.ts';
import { currentRequest } from './request.ts';

/** What any policy of the play lets live, ms. */
export const longestMs = 20 * 60_000;
const audience = 'https://access.acme.example';
const lock = readLock(`github: { acme/api: { id: '74', owner: '65' } }`);
const github = '{ github: { repositories: [acme/api], permissions: { contents: read } } }';
const vault = '{ vault: { role: deploy, for: 30m } }';

/** Policies as they are, or narrowed to an environment that no job of the play has. */
export const inForce = { given: policiesFor('production'), narrowed: policiesFor('elsewhere') };
function policiesFor(environment: string): PoliciesInForce {
  const text = `
audience: ${audience}
tiers: { production: [production, elsewhere] }
policies:${policyNames
    .map(
      (name) => `
  ${name}:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/release.yml@refs/heads/main
        workflow: acme/api/.github/workflows/release.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: ${environment}
    needs: { reviewed: true, noIncident: high }
    give: [${name === 'deploy-both' ? `${github}, ${vault}` : github}]
    until: ${name === 'deploy-run' ? 'run' : 'job'}
    max: 20m`,
    )
    .join('')}
`;
  return { file: readPolicies(text), lock, sha256: createHash('sha256').update(text).digest('hex'), revision: null };
}

export type SimulatedBroker = {
  ask: (workload: Workload, policy: string) => Promise<Answer>;
  giveBack: (workload: Workload, grant: string) => Promise<Answer>;
};

/** The broker as one process has it: all but HTTP and the proof of an id token, in the place of which a job says who it is. */
export async function startBroker(
  life: Life,
  of: {
    db: Db;
    stream: Stream;
    logger: Logger;
    providers: Pick<Providers, 'fetchOf' | 'vaultOf'>;
    policies: CurrentPolicies;
    whichEnded: SweepParts['whichEnded'];
  },
): Promise<SimulatedBroker> {
  const { db, logger, providers, policies, whichEnded } = of;
  const { stream, takesEvents } = watchLog(of.stream);
  const { clock, metrics } = platform(life);
  const seals = createSeals(['a-key-of-seals-for-the-simulation']);
  const app = { ...config.github.app!, apiUrl: 'https://github.simulated', fetch: providers.fetchOf(life) };
  const opened = { github: createGitHubMinter(app, { clock }), vault: providers.vaultOf(life) };
  const minters = {
    of: (kind: string) => opened[kind as keyof typeof opened],
  } as unknown as Pick<Minters, 'of'>;
  const ending = await startEnding({ config, db, stream, clock, logger, metrics, minters, seals, whichEnded });
  const parts: ExchangeParts = {
    ...{
      config,
      db,
      stream,
      logger,
      clock,
      measures: createMeasures(metrics, clock.nowMs, async () => ({ run: 0, request: 0 })),
      policies,
    },
    verify: async (token) => ({ workload: JSON.parse(token) as Workload }),
    stsAudience: 'access.acme.example',
    workspaces: { whose: () => ({ workspace: 'acme' }) },
    gather: createGather({ config: withoutGitHub, db, clock, logger }),
    jobLimit: createRateLimit({ perSecond: 1, burst: 60 }, clock.nowMs),
    rooms: createRooms({ ofJob: 8, ofRepository: 512 }),
    makeId: () => {
      const id = Array.from({ length: 4 }, () =>
        life.random
          .int(0, 2 ** 32 - 1)
          .toString(16)
          .padStart(8, '0'),
      ).join('-');
      const asked = currentRequest();
      if (asked !== undefined) asked.grant = id;
      return id;
    },
    isCaughtUp: ending.caughtUp,
    takesEvents,
    giving: { minters, seals, mostAnHour: 10_000 },
  };
  return {
    ask: (workload, policy) => exchange(parts, { token: JSON.stringify(workload), policy, address: '192.0.2.1' }),
    giveBack: (workload, grant) => returnGrant(parts, { token: JSON.stringify(workload), grant }),
  };
}

/** What the log has not told of a job stays unknown. */
const withoutGitHub = { github: { ...config.github, app: undefined, token: undefined } };
