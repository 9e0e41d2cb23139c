import { drillPrefix } from '@tripline/contracts/drill';
import {
  type Exceptable,
  type Excepted,
  type Exception,
  exceptionOf,
  exceptionOfDoubt,
} from '@tripline/contracts/exception';
import type { Silence } from '@tripline/contracts/silence';
import { type AskedQuestion, askAboutDeliveries } from '@tripline/db/delivery-questions';
import { type AnyJob, addJobs } from '@tripline/db/jobs';
import type { Effects } from '@tripline/engine/effects';
import type { StateChange } from '@tripline/engine/keyed-state/state';
import { type Override, overridden } from '@tripline/engine/settings';
import { nothingRecorded, type Recorded } from '@tripline/incidents/apply-verdicts';
import { recordVerdicts } from '@tripline/incidents/record-findings';
import type { ClientBase, Pool } from 'pg';
import { type BatchRows, keepBatch } from './store/batches.ts';
import { nothingTold, type WhatIsTold, writeKnownHeads, writeKnownRuns } from './store/known-runs.ts';
import { writeRuleState } from './store/rule-state.ts';
import { writeTimers } from './store/timers.ts';

/** What follows from a batch beside its rows. */
export type Consequences = {
  timers: Effects['timers'];
  verdicts: Effects['verdicts'];
  /** State that the engine itself keeps. */
  engineRows: readonly StateChange[];
  jobs: readonly AnyJob[];
  questions: readonly AskedQuestion[];
  /** What is known of runs that policies of access ask about, where it is something else than before, and of their own commits. */
  known: WhatIsTold;
};

/**
 * `imports`: whether an inventory can be imported where a workspace is new. `isAskable`: whether a list of deliveries can be
 * asked for those of a source.
 */
export function consequencesOf(
  effects: Effects,
  known: WhatIsTold,
  { imports, isAskable }: { imports: boolean; isAskable: (source: string) => boolean },
): Consequences {
  const { timers, verdicts } = effects;
  const engineRows = effects.state.filter(({ rule }) => rule.startsWith('@'));
  const questions = effects.questions.map((question) => {
    const isDrill = question.workspace.startsWith(drillPrefix);
    return { ...question, isAskable: !isDrill && isAskable(question.source) };
  });
  return { timers, verdicts, engineRows, jobs: jobsFor(effects, imports), questions, known };
}

export const nothingFollows: Consequences = {
  ...{ timers: [], verdicts: [], engineRows: [], jobs: [], questions: [], known: nothingTold },
};
export const isNothing = ({ timers, verdicts, engineRows, jobs, questions, known }: Consequences): boolean =>
  timers.length +
    verdicts.length +
    engineRows.length +
    jobs.length +
    questions.length +
    known.runs.length +
    known.heads.length ===
  0;

/** What settings say of who is to hear of a finding. */
export type FindingPolicies = {
  silences: readonly Silence[];
  exceptions: readonly Exception[];
  overrides: readonly Override[];
};

/** The exception that covers a finding, or what an override says of one that is not sure enough. */
export const coverOf =
  ({ exceptions, overrides }: FindingPolicies) =>
  (finding: Exceptable): Excepted | undefined =>
    exceptionOf(finding, exceptions) ?? exceptionOfDoubt(finding, overridden(overrides, 'minConfidence', finding));

/**
 * Writes the rows of batches that follow each other, and all that follows from the last of them, in one transaction,
 * the fenced position first. Most batches leave nothing but their rows: that is one statement.
 * @throws {FencedError} somebody else owns the partition. After any error it is unknown whether the batches stand: what the
 * caller holds in memory must be read anew.
 */
export async function recordBatches(
  pool: Pool,
  rows: BatchRows,
  last: Consequences,
  policies: FindingPolicies,
): Promise<Recorded> {
  const { silences, overrides } = policies;
  const coveredBy = coverOf(policies);
  const mayPage = (finding: { rule: string; workspace: string }) => overridden(overrides, 'page', finding) !== false;
  if (isNothing(last)) {
    await keepBatch(pool, rows);
    return nothingRecorded;
  }
  const client = await pool.connect();
  try {
    const steps = client as ClientBase;
    // By itself: were it cancelled, what is on its way behind it would be carried out outside of any transaction.
    await client.query('BEGIN');
    // On their way together, and carried out in this order: a finding waits for no more round trips than it must.
    const [, , , , recorded] = await Promise.all([
      keepBatch(steps, rows),
      writeRuleState(steps, rows.partition, last.engineRows),
      writeTimers(steps, rows.partition, last.timers),
      addJobs(steps, last.jobs),
      recordVerdicts(steps, last.verdicts, silences, coveredBy, mayPage),
      askAboutDeliveries(steps, last.questions),
      writeKnownRuns(steps, last.known.runs, rows.logTimeMs),
      writeKnownHeads(steps, last.known.heads, rows.logTimeMs),
    ]);
    await client.query('COMMIT');
    client.release();
    return recorded;
  } catch (error) {
    // A connection whose transaction may still be open is of no more use.
    client.release(error as Error);
    throw error;
  }
}

function jobsFor(effects: Effects, imports: boolean): AnyJob[] {
  const lookUps = effects.lookUps.map((asked): AnyJob => {
    return { name: 'look-up', payload: asked, key: `look-up:${asked.lookup.id}` };
  });
  // Nothing can be read of a drill's workspace at a provider, nor of Tripline's own (`@tripline`, `@receiver`).
  const isNobodys = (workspace: string) => workspace.startsWith(drillPrefix) || workspace.startsWith('@');
  const news = effects.newWorkspaces.filter((workspace) => imports && !isNobodys(workspace));
  const inventories = news.map((workspace): AnyJob => {
    return { name: 'import-inventory', payload: { workspace }, key: `import:${workspace}` };
  });
  return [...lookUps, ...inventories];
}
