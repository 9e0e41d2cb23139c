import type { AskedOf } from '@tripline/access/asked-of';
import type { Config } from '@tripline/config/config';
import { checkAnswers } from '@tripline/db/check-answers';
import type { Db } from '@tripline/db/database';
import type { StoreOptions } from '@tripline/engine/keyed-state/state-store';
import { hooksOf, mayList } from '@tripline/integrations/github/deliveries';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { type Stream, topics } from '@tripline/stream/stream';
import { createPolicyWatch, nothingAsked } from './asked-by-policies.ts';
import { createKnownRuns } from './known-runs.ts';
import type { RuleSet } from './load-rules.ts';
import { createMeasures } from './measures.ts';
import { changeRules, type Detecting, serialize, take } from './partition.ts';
import { processBatch, record, reloadingPartition } from './process-batch.ts';
import { startWorker } from './worker.ts';

export type DetectorParts = {
  config: Config;
  stream: Stream;
  db: Db;
  /** What judges from the start on, from `loadRuleSet`. */
  ruleSet: RuleSet;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Whether it also runs the jobs `look-up` and `import-inventory`, as it does unless told otherwise. */
  worker?: boolean;
  /** At most so many records a batch, and so a transaction; 2,000 unless told otherwise. */
  maxBatchRecords?: number;
  /** How much of keyed state lies where. */
  state?: StoreOptions;
  /** How long batches from which nothing follows may wait to be recorded together, in ms; 100 unless told otherwise, 0: not at all. */
  gatherMs?: number;
};

export type Detector = {
  /** Partitions owned at this moment. */
  owned: () => readonly number[];
  /** Resolves when the log and the database answer; rejects with the reason. */
  ready: () => Promise<void>;
  /**
   * Has every partition judged by another set of rules from its next batch on; what was judged until then is recorded before,
   * as the former set says. State and timers stay as after a restart. Resolves once it is so for those that are owned.
   */
  use: (next: RuleSet) => Promise<void>;
  /** Gives its partitions back after the batch at hand. */
  close: () => Promise<void>;
};

/**
 * Counts forms in which state is kept: detectors of a former one must not share partitions out with ours, since they
 * can take none that ours had.
 */
const group = 'tripline-detector-2';
/** How often a quiet partition's timers are looked at. */
const tickMs = 250;
const usualBatchRecords = 2000;
const usualGatherMs = 100;

/**
 * Judges the events topic: takes partitions and, batch by batch, reads, fetches the state that is needed, lets the rules
 * judge, and records all that follows in one transaction with the position ({@link processBatch}): at once when anybody is
 * to hear of it, else with the batches that come soon after. Starts with creation.
 */
export async function createDetector(parts: DetectorParts): Promise<Detector> {
  const { config, stream, db, logger, clock } = parts;
  const closing = new AbortController();
  const hooks = hooksOf(config.github);
  const { policy } = config.broker;
  const knownRuns = policy === undefined ? null : createKnownRuns('file' in policy ? undefined : policy);
  const policies = policy === undefined ? null : createPolicyWatch(parts);
  /** The rules, without what tells of runs, and what of those is asked. */
  const judging = { rules: parts.ruleSet, asked: (await policies?.first()) ?? nothingAsked };
  const joined = () => knownRuns?.join(judging.rules, judging.asked) ?? judging.rules;
  const ruleSet = joined();
  const detecting: Detecting = {
    ...{ config, stream, db, ruleSet, logger, clock, state: parts.state, knownRuns },
    measures: createMeasures(parts.metrics),
    owned: new Map(),
    gatherMs: parts.gatherMs ?? usualGatherMs,
    imports: config.github.token !== undefined || config.github.app !== undefined,
    isAskable: (source) => mayList(hooks, source),
    faultsToldMs: new Map(),
    closing: closing.signal,
  };
  detecting.measures.ruleSet(ruleSet.version);

  const consuming = await stream.consume({
    topic: topics.events,
    group,
    maxRecords: parts.maxBatchRecords ?? usualBatchRecords,
    tickMs,
    handlers: {
      onAssigned: ({ topic, partition }) => take(detecting, topic, partition),
      onBatch: (batch) => processBatch(detecting, batch),
      onLost: ({ partition }) => giveUp(detecting, partition),
    },
  });
  const askedNow = (asked: AskedOf) => {
    judging.asked = asked;
    return use(detecting, joined());
  };
  const watching = policies?.watch(askedNow, closing.signal);
  const worker = parts.worker === false ? null : await startWorker({ config, stream, db, logger, clock });

  return {
    owned: () => [...detecting.owned.keys()],
    ready: async () => {
      const fault = consuming.fault?.();
      if (fault) throw fault;
      await Promise.all([stream.check(), checkAnswers(db)]);
    },
    use: (next) => {
      judging.rules = next;
      return use(detecting, joined());
    },
    close: async () => {
      closing.abort();
      await watching;
      await consuming.stop();
      await worker?.stop();
    },
  };
}

/** Records what was judged of a partition that is lost, so that its next owner need not judge it again. */
async function giveUp(detecting: Detecting, partition: number): Promise<void> {
  const { owned, logger } = detecting;
  const own = owned.get(partition);
  if (own === undefined) return;
  await serialize(detecting, own, () => record(detecting, own)).catch((error) => {
    logger.info(
      { err: error, partition },
      'batch commit failed while stopping; the next owner of the partition processes it again',
    );
  });
  owned.delete(partition);
}

async function use(detecting: Detecting, next: RuleSet): Promise<void> {
  detecting.ruleSet = next;
  detecting.measures.ruleSet(next.version);
  await Promise.all(
    [...detecting.owned.values()].map((own) =>
      serialize(detecting, own, async () => {
        if (own.ruleSet === detecting.ruleSet) return;
        await record(detecting, own);
        await changeRules(detecting, own);
      }).catch((error) => {
        detecting.logger.warn({ err: error, partition: own.partition }, reloadingPartition);
      }),
    ),
  );
}
