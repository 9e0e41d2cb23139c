import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import { instanceOf } from '@tripline/integrations/github/instance';
import { createOutbound } from '@tripline/integrations/outbound';
import type { Clock } from '@tripline/runtime/clock';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import type { FastifyInstance } from 'fastify';
import { Histogram } from 'prom-client';
import { createAddressLimit } from './address-limit.ts';
import { appendEvents, type EventParts } from './append-events.ts';
import type { ExchangeParts } from './asking.ts';
import { createClientAddress } from './client-address.ts';
import { createStepUps, type StepUps, standsFor } from './step-up.ts';

/** How people stand for the runs of jobs that ask. */
export type StepUpsForJobs = Required<Pick<ExchangeParts, 'openStepUp' | 'approvalFor'>> & {
  /** The same for the gate, where no token names the job. */
  atGate: Pick<StepUps, 'open' | 'approvalFor'>;
  /** Adds the pages. Call before `listen`. */
  routes: (app: FastifyInstance) => void;
};

/**
 * As `broker.stepUp` configures it; undefined where it does not: then nobody can stand for a run.
 * @throws {ConfigError} people would sign in at one GitHub, and another be asked who they are.
 */
export function openStepUps(
  parts: EventParts & { config: Config; db: Db; clock: Clock; logger: Logger; metrics: Metrics },
): StepUpsForJobs | undefined {
  const { config, db, clock, logger, metrics } = parts;
  const { stepUp: settings, sealingKeys = [], rate, proxies } = config.broker;
  if (settings === undefined) return undefined;
  const asked = instanceOf(config.github.apiUrl);
  if (settings.github !== undefined && asked !== settings.instance)
    throw new ConfigError(
      `broker.stepUp.github has people sign in at ${settings.instance}, and github.apiUrl is of ${asked}: set github.apiUrl to the API of ${settings.instance}`,
    );
  const limit = createAddressLimit(rate, () => clock.nowMs());
  const addressOf = createClientAddress(proxies);
  const seconds = new Histogram({
    name: 'tripline_broker_stepup_seconds',
    help: 'Time from asking somebody to stand for a run to their answer, by what they answered',
    labelNames: ['answer'] as const,
    buckets: [5, 15, 30, 60, 120, 300, 600, 900],
    registers: [metrics],
  });
  const stepUps = createStepUps({
    ...{ settings, sealingKeys, db, clock, logger, openOutbound: createOutbound },
    githubApiUrl: config.github.apiUrl,
    answered: (answer, tookS) => seconds.observe({ answer }, tookS),
    append: (events) => appendEvents(parts, events),
    take: (request) => limit.take(addressOf(request)),
  });
  return {
    routes: stepUps.routes,
    atGate: stepUps,
    openStepUp: ({ workspace, keys, job, policyName, policy, policies: { lock } }) =>
      stepUps.open({
        ...{ workspace, run: keys.run, instance: instanceOfIssuer(job.issuer) },
        ...{ job, policyName, policy, lock },
      }),
    approvalFor: ({ workspace, keys, job, policyName, policy }) =>
      stepUps.approvalFor(standsFor({ workspace, run: keys.run, job, policyName, policy })),
  };
}
