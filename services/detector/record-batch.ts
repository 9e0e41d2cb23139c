import { type BatchRows, keepBatch } from '@tripline/db/batches';
import { type AnyJob, addJobs } from '@tripline/db/jobs';
import type { PositionKey } from '@tripline/db/positions';
import { type Recorded, recordVerdicts, type Silence } from '@tripline/db/record-findings';
import { writeRuleState } from '@tripline/db/rule-state';
import { writeTimers } from '@tripline/db/timers';
import type { Effects } from '@tripline/engine/effects';
import type { StateChange } from '@tripline/engine/state';
import { drillPrefix } from '@tripline/engine/workspace-facts';
import { failpoint } from '@tripline/runtime/failpoint';
import type { ClientBase, Pool } from 'pg';

export type BatchRecord = {
  key: PositionKey;
  epoch: number;
  /** Position before the batch, and after it. */
  expected: number;
  next: number;
  effects: Effects;
  /** Of the state that it changed, what rules keep, packed; and what the engine itself keeps. */
  segment: BatchRows['segment'];
  engineRows: readonly StateChange[];
  silences: readonly Silence[];
  /** Whether an inventory can be imported where a workspace is new. */
  imports: boolean;
};

/**
 * Writes all that follows from a batch in one transaction, the fenced position first. Most batches leave nothing but
 * their position, a segment and ids: that is one statement.
 * @throws {Fenced} somebody else owns the partition. After any error it is unknown whether the batch stands: what the
 * caller holds in memory must be read anew.
 */
export async function recordBatch(pool: Pool, batch: BatchRecord): Promise<Recorded> {
  const { effects, key, epoch, expected, next, segment } = batch;
  const { logTimeMs, seen } = effects;
  const rows: BatchRows = { ...key, epoch, expected, next, logTimeMs, segment, seen };
  const jobs = jobsFor(batch);
  failpoint('detector.before-begin');
  if (batch.engineRows.length + effects.timers.length + effects.verdicts.length + jobs.length === 0) {
    await keepBatch(pool, rows);
    failpoint('detector.after-commit');
    return nothingRecorded;
  }
  const client = await pool.connect();
  try {
    const steps = client as ClientBase;
    await client.query('BEGIN');
    // On their way together, and carried out in this order: a finding waits for no more round trips than it must.
    const [, , , , recorded] = await Promise.all([
      keepBatch(steps, rows).then(() => failpoint('detector.after-advance')),
      writeRuleState(steps, key.partition, batch.engineRows).then(() => failpoint('detector.after-state')),
      writeTimers(steps, key.partition, effects.timers).then(() => failpoint('detector.after-timers')),
      addJobs(steps, jobs).then(() => failpoint('detector.after-jobs')),
      recordVerdicts(steps, effects.verdicts, batch.silences),
    ]);
    failpoint('detector.after-findings');
    failpoint('detector.before-commit');
    await client.query('COMMIT');
    failpoint('detector.after-commit');
    client.release();
    return recorded;
  } catch (error) {
    // A connection whose transaction may still be open is of no more use.
    client.release(error as Error);
    throw error;
  }
}

export const nothingRecorded: Recorded = { found: 0, silenced: 0, withdrawn: 0, reinstated: 0 };

function jobsFor({ effects, imports }: BatchRecord): AnyJob[] {
  const lookUps = effects.lookUps.map((asked): AnyJob => {
    return { name: 'look-up', payload: asked, key: `look-up:${asked.lookup.id}` };
  });
  const news = effects.newWorkspaces.filter((workspace) => imports && !workspace.startsWith(drillPrefix));
  const inventories = news.map((workspace): AnyJob => {
    return { name: 'import-inventory', payload: { workspace }, key: `import:${workspace}` };
  });
  return [...lookUps, ...inventories];
}
