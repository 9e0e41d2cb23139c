import { FencedError } from '@tripline/db/positions';
import type { Effects } from '@tripline/engine/effects';
import type { EngineBatch } from '@tripline/engine/engine';
import { noteRuleFaults, type RuleFault } from '@tripline/health/rule-faults';
import { nothingRecorded } from '@tripline/incidents/apply-verdicts';
import type { Batch } from '@tripline/stream/stream';
import { deadLetterAll } from './dead-letter.ts';
import { knownRunsMs } from './known-runs.ts';
import { type Detecting, dedupFromMs, type Owned, serialize } from './partition.ts';
import { type Consequences, consequencesOf, isNothing, nothingFollows, recordBatches } from './record-batches.ts';
import { sweepDedup } from './store/dedup.ts';
import { nothingTold, sweepKnownRuns, type WhatIsTold } from './store/known-runs.ts';
import { sweepRuleState } from './store/rule-state.ts';

/**
 * A transaction for every few events costs more than the events, and nobody waits for one without findings. This many
 * records are worth a transaction.
 */
const gatheredRecords = 500;
const hourMs = 3_600_000;
/** How often a rule that throws at every event is logged as a warning. */
const faultsEveryMs = 60_000;

export const reloadingPartition = 'batch commit failed; reloading partition from its committed offset';

/**
 * Takes a batch of an owned partition through all steps: plan and fetch state → judge → record → maintain. A batch that
 * nobody waits for is recorded together with the following ones.
 */
export async function processBatch(detecting: Detecting, batch: Batch): Promise<void> {
  const own = detecting.owned.get(batch.partition);
  if (own === undefined) throw new FencedError(`partition ${batch.partition} is not the detector's`);
  await serialize(detecting, own, async () => {
    const judged = await judge(detecting, own, batch);
    if (judged !== null) {
      if (canWait(detecting, own, judged)) recordLater(detecting, own);
      else await record(detecting, own, judged.following);
    }
    if (own.pending.isEmpty()) await maintain(detecting, own, batch.records.length === 0);
  });
}

/** A batch that holds in memory, and what follows from it. */
type Judged = { following: Consequences; poisoned: boolean };

/**
 * Lets the rules judge what of the batch was not judged before, and keeps it among what is to be recorded. Null when there
 * was nothing to judge, or the partition is lost meanwhile.
 */
async function judge(detecting: Detecting, own: Owned, batch: Batch): Promise<Judged | null> {
  const { stream, db, clock, knownRuns } = detecting;
  const { topic, partition, caughtUpAtMs, lost } = batch;
  const { engine, pending } = own;
  const startedMs = clock.nowMs();
  const records = batch.records.filter(({ offset }) => offset >= own.next);
  const { effects, told } = await evaluate(own, { records, caughtUpAtMs }, knownRuns);
  if (lost.aborted) {
    engine.rollback();
    return null;
  }
  if (records.length === 0 && effects.counts.timersFired === 0 && effects.timers.length === 0) {
    engine.commit();
    return null;
  }
  if (effects.poison.length > 0) {
    await deadLetterAll(stream, effects.poison, { topic, partition });
    await noteRuleFaults(db, effects.poison);
  }
  const flush = own.state.pack(effects.state.filter(({ rule }) => !rule.startsWith('@')));
  own.next = (records.at(-1)?.offset ?? own.next - 1) + 1;
  pending.add({ effects, flush, next: own.next, startedMs });
  // In memory it holds from here on; when it cannot be recorded, all of it is read anew.
  if (flush !== null) own.state.commit(flush);
  engine.commit();
  for (const fault of effects.poison) reportFault(detecting, partition, fault);
  return {
    following: consequencesOf(effects, { ...told, runs: own.news.of(told.runs) }, detecting),
    poisoned: effects.poison.length > 0,
  };
}

/** Plans which keys a batch needs, fetches them, and evaluates it; again as long as rules ask for more. `told`: what of runs. */
async function evaluate(
  { engine, state }: Owned,
  batch: EngineBatch,
  knownRuns: Detecting['knownRuns'],
): Promise<{ effects: Effects; told: WhatIsTold }> {
  let missing = engine.plan(batch);
  for (;;) {
    const rows = state.read(missing);
    engine.hold(missing, Array.isArray(rows) ? rows : await rows);
    knownRuns?.begin();
    const result = engine.evaluate();
    // What was told is taken before anything is awaited: another partition's evaluation begins anew.
    if ('effects' in result) return { effects: result.effects, told: knownRuns?.take() ?? nothingTold };
    missing = result.missing;
  }
}

/** Whether nobody waits for what was judged, and it is not much yet. */
const canWait = ({ gatherMs }: Detecting, { pending }: Owned, { following, poisoned }: Judged): boolean =>
  isNothing(following) && !poisoned && gatherMs > 0 && pending.records() < gatheredRecords;

/** Records all that was judged, and what follows from the last of it, in one transaction. */
export async function record(detecting: Detecting, own: Owned, following = nothingFollows): Promise<void> {
  const { db, clock, measures } = detecting;
  const { partition, pending, ruleSet } = own;
  const gathered = pending.take();
  if (gathered === undefined) return;
  const recorded = await recordBatches(db.pool, gathered.rows, following, ruleSet);
  const nowMs = clock.nowMs();
  for (const [place, { effects, startedMs }] of gathered.batches.entries()) {
    const isLast = place === gathered.batches.length - 1;
    measures.batch(partition, effects, isLast ? recorded : nothingRecorded, nowMs - startedMs);
  }
}

/** What waits is recorded `gatherMs` after its first, unless it was before. */
function recordLater(detecting: Detecting, own: Owned): void {
  if (own.recordsSoon) return;
  own.recordsSoon = true;
  const { owned, clock, logger, gatherMs, closing } = detecting;
  const { partition } = own;
  const recording = async () => {
    await clock.pause(gatherMs, closing);
    own.recordsSoon = false;
    if (owned.get(partition) !== own) return;
    await serialize(detecting, own, async () => {
      await record(detecting, own);
      await maintain(detecting, own, false);
    });
  };
  recording().catch((error) => {
    logger.warn({ err: error, partition }, reloadingPartition);
  });
}

/** Merges due parts of keyed state and drops what has expired. `idle`: there is time for more. */
async function maintain({ db, knownRuns }: Detecting, own: Owned, idle: boolean): Promise<void> {
  await own.state.compact(own.engine.logTimeMs(), idle);
  const logTimeMs = own.engine.logTimeMs();
  // Once an hour of the log's time.
  if (logTimeMs < own.sweptMs + hourMs) return;
  own.engine.sweep();
  if (knownRuns !== null) await sweepKnownRuns(db.pool, logTimeMs - knownRunsMs);
  await sweepDedup(db.pool, own.partition, dedupFromMs(logTimeMs));
  const swept = await sweepRuleState(db.pool, own.partition, logTimeMs);
  if (swept === 0) own.sweptMs = logTimeMs;
}

/** Warns of the first of a rule's faults each minute; who sees the screen must see what else there is. */
function reportFault({ clock, logger, faultsToldMs }: Detecting, partition: number, { rule, reason }: RuleFault): void {
  const nowMs = clock.nowMs();
  const isNew = nowMs - (faultsToldMs.get(rule) ?? Number.NEGATIVE_INFINITY) >= faultsEveryMs;
  if (isNew) faultsToldMs.set(rule, nowMs);
  const what = rule === null ? 'a record could not be processed' : `rule ${rule} threw`;
  logger[isNew ? 'warn' : 'debug']({ partition, rule, reason }, `${what} and its record was dead-lettered: ${reason}`);
}
