import type { Config } from '@tripline/config/config';
import { aliveGrants } from '@tripline/db/alive-grants';
import { checkAnswers } from '@tripline/db/check-answers';
import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import { workQueue } from '@tripline/db/work-queue';
import { openProviders } from '@tripline/integrations/open-providers';
import type { AccessGrants } from '@tripline/integrations/provider';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter } from 'prom-client';
import { type Acted, runPlaybook } from './playbook.ts';
import { resumeQueued } from './store/requeue.ts';

export type RemediatorParts = {
  config: Config;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Called with every settled step; for a terminal. */
  onActed?: (acted: Acted) => void;
  fetch?: typeof globalThis.fetch;
};

export type Remediator = {
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for the steps under way, then stops. */
  close: () => Promise<void>;
};

/** How often queued steps are checked for a free place under the rate cap. */
const queueEveryMs = 5000;
/** Playbooks under way at once: they mostly wait for GitHub, and a credential must not wait for another's. */
const concurrency = 16;

/**
 * guard → ask whether it is so → act → check that it is dead, a finding's steps in their order, each once. Starts with
 * creation.
 */
export async function createRemediator(parts: RemediatorParts): Promise<Remediator> {
  const { db, logger, metrics } = parts;
  const remediate = createRemediateTask(parts);
  let isLooking = false;
  const queueing = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    // Read each time: the cap may be changed while it runs.
    resumeQueued(db, { maxPerHour: parts.config.remediation.maxPerHour })
      .catch((error) => logger.error({ err: error }, 'looking for queued steps failed; retrying at the next interval'))
      .finally(() => {
        isLooking = false;
      });
  }, queueEveryMs);
  const playbooks = await workQueue({
    ...{ db, logger, concurrency, purpose: 'remediate' },
    handle: (finding) => remediate({ finding }),
  });
  return {
    ready: async () => {
      await checkAnswers(db);
    },
    close: async () => {
      clearInterval(queueing);
      await playbooks.stop();
      metrics.removeSingleMetric('tripline_remediator_steps_total');
    },
  };
}

/** The task that runs a queued playbook. Any number of them may run for one finding at once. */
export function createRemediateTask(parts: RemediatorParts): (payload: { finding: string }) => Promise<void> {
  const { config, db, logger, clock, metrics, onActed } = parts;
  const opening = openProviders(config, {
    ...{ clock, fetch: parts.fetch },
    onLeftAlive: (reason) => logger.error({ reason }, 'revoking a token failed; it expires within an hour'),
    grants: grantsIn(db, clock),
  });
  const counter = new Counter({
    name: 'tripline_remediator_steps_total',
    help: 'Response steps settled, by action, mode, verdict, state and check',
    labelNames: ['action', 'mode', 'verdict', 'state', 'check'] as const,
    registers: [metrics],
  });
  return async ({ finding }) => {
    await runPlaybook({ ...{ config, db, logger, clock, onActed, counter }, providers: await opening }, finding);
  };
}

/** What the access broker gave, as its tables have it. The broker's own revoker ends it at the providers. */
function grantsIn(db: Db, clock: Clock): AccessGrants {
  return {
    alive: (of) => aliveGrants(db.pool, of),
    async end({ workspace, key }) {
      const by = { why: 'incident', atMs: clock.nowMs() } as const;
      return (await inTransaction(db, (client) => endGrants(client, { workspace, things: [key] }, by))).length;
    },
  };
}
