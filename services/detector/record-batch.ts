import { type AnyJob, addJobs } from '@tripline/db/jobs';
import { advance, type PositionKey } from '@tripline/db/positions';
import { type Recorded, recordVerdicts, type Silence } from '@tripline/db/record-findings';
import { writeRuleState } from '@tripline/db/rule-state';
import { writeSeen } from '@tripline/db/seen';
import { writeTimers } from '@tripline/db/timers';
import type { Effects } from '@tripline/engine/effects';
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
  silences: readonly Silence[];
  /** Whether an inventory can be imported where a workspace is new. */
  imports: boolean;
};

/**
 * Writes all that follows from a batch in one transaction, the fenced position first.
 * @throws {Fenced} somebody else owns the partition. After any error it is unknown whether the batch stands: what the
 * caller holds in memory must be read anew.
 */
export async function recordBatch(pool: Pool, batch: BatchRecord): Promise<Recorded> {
  const { effects, key, next } = batch;
  const client = await pool.connect();
  try {
    failpoint('detector.before-begin');
    await client.query('BEGIN');
    const steps = client as ClientBase;
    const { logTimeMs } = effects;
    await advance(steps, { ...key, epoch: batch.epoch, expected: batch.expected, next, logTimeMs });
    failpoint('detector.after-advance');
    await writeRuleState(steps, key.partition, effects.state);
    failpoint('detector.after-state');
    await writeTimers(steps, key.partition, effects.timers);
    failpoint('detector.after-timers');
    await writeSeen(steps, { partition: key.partition, next, logTimeMs, entries: effects.seen });
    failpoint('detector.after-seen');
    const recorded = await recordVerdicts(steps, effects.verdicts, batch.silences);
    failpoint('detector.after-findings');
    await addJobs(steps, jobsFor(batch));
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
