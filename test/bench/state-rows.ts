import { openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { configureRule } from '@tripline/engine/settings';
import { rulesByDefault as rules } from '@tripline/rules/registry';
import { topics } from '@tripline/stream/stream';
import { makeCorpus } from './corpus.ts';
import { recordsOf } from './records.ts';
import { detectorByHand, partition, startStopwatch, whatWasWritten } from './state-hand.ts';

/** What the detector writes and costs over the corpus, an event. */
export type Written = {
  events: number;
  findings: number;
  /** Inserted, updated and deleted, in all tables together. */
  rows: number;
  rowsByTable: Record<string, number>;
  walBytes: number;
  detectorUs: number;
  postgresUs: number;
};

/** As many deliveries as one corpus has; more are told by corpora after each other, so that memory holds one. */
const corpusDeliveries = 60_000;

/** Judges the corpus, by all rules, on the migrated or empty database at `url`. */
export async function benchRows(url: string, deliveries: number): Promise<Written> {
  const open = () => openDatabase(url, { applicationName: 'bench' });
  let db = open();
  await migrate(db);
  await db.close();
  db = open();
  const before = await whatWasWritten(db);
  const detector = await detectorByHand(
    db,
    rules.map((rule) => configureRule(rule)),
  );
  await detector.take();
  const [startMs, cost] = [Date.now(), { ownUs: 0, postgresUs: 0 }];
  let events = 0;
  for (let told = 0; told < deliveries; told += corpusDeliveries) {
    const count = Math.min(corpusDeliveries, deliveries - told);
    // Each corpus counts its ids from its seed on.
    const corpus = makeCorpus({ deliveries: count, workspaces: 200, attackEvery: 1e9, seed: 42 + told * 100, startMs });
    const records = recordsOf(corpus).map((record, place) => {
      const offset = events + place;
      return { ...record, topic: topics.events, partition, offset, appendedAtMs: startMs + offset };
    });
    events += records.length;
    const stopwatch = await startStopwatch(db);
    for (let from = 0; from < records.length; from += 2000) await detector.judge(records.slice(from, from + 2000));
    const { ownUs, postgresUs } = stopwatch();
    cost.ownUs += ownUs;
    cost.postgresUs += postgresUs;
  }
  const { rows: counted } = await db.pool.query<{ findings: number }>('SELECT count(*)::int AS findings FROM findings');
  await db.close();
  db = open();
  const after = await whatWasWritten(db);
  await db.close();
  const by = [...after.rows].map(([name, rows]): [string, number] => [name, rows - (before.rows.get(name) ?? 0)]);
  return {
    events,
    findings: counted[0]!.findings,
    rows: by.reduce((sum, [, rows]) => sum + rows, 0) / events,
    rowsByTable: Object.fromEntries(by.filter(([, rows]) => rows > 0).sort((a, b) => b[1] - a[1])),
    walBytes: (after.walBytes - before.walBytes) / events,
    detectorUs: cost.ownUs / events,
    postgresUs: cost.postgresUs / events,
  };
}
