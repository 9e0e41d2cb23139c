import type { Db } from '@tripline/db/database';
import { addJobs } from '@tripline/db/jobs';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { findUndelivered } from './store/messages.ts';

type Sweep = {
  db: Db;
  clock: Clock;
  logger: Logger;
  channels: readonly string[];
  /** How long an incident's job may take before it counts as lost. */
  graceMs: number;
  sweepMs: number;
};

const dayMs = 24 * 3_600_000;
/** What changed lately may just have lost its worker; that a job waited for hours before is rare, and costs more to see. */
const usualReach = 60;

/**
 * Queues the incidents again whose worker died with the job in its hands: graphile-worker keeps a dead worker's job for
 * four hours. @param withinMs how long ago the incident changed at most.
 */
export async function queueMissed({ db, channels, graceMs }: Sweep, withinMs = dayMs): Promise<void> {
  const missed = await findUndelivered(db, { channels, graceMs, withinMs });
  await addJobs(
    db.pool,
    missed.map((incident) => ({ name: 'notify', payload: { incident }, key: `notify:${incident}` })),
  );
}

/** Does so every `sweepMs`, until it is stopped. */
export function queueMissedOften(sweep: Sweep): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  async function run(): Promise<void> {
    for (let nth = 1; ; nth += 1) {
      await sweep.clock.pause(sweep.sweepMs, stopping.signal);
      if (stopping.signal.aborted) return;
      await queueMissed(sweep, nth % usualReach === 0 ? dayMs : usualReach * sweep.sweepMs).catch((error) =>
        sweep.logger.error({ err: error }, 'looking for undelivered incidents failed; retrying at the next interval'),
      );
    }
  }
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
