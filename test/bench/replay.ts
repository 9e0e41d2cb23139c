import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@tripline/db/migrate';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { rules } from '@tripline/rules/registry';
import { emptyDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { makeCorpus } from './corpus.ts';
import type { Series } from './measure.ts';
import { fillWithCopies, recordsOf } from './records.ts';
import { judgeAll, processSeries } from './scale-out.ts';

/** 90 days of a busy organisation, 300,000 events each. */
export const replayed = 27_000_000;

/** Stands for one that is new: it learns, sets timers, and waits for half of all kinds of events. */
const rule = 'credential-new-runner';
/** Tells of other rules' state, and is never off. */
const stateFlooded = 'state-flooded';

/**
 * Events a second that 1 and 2 detector processes judge under one rule from the log's start, as when it is new: `tripline
 * detector` on a database without positions, whose writes reach the disk. The log holds the corpus `copies` times, each
 * in organisations of its own, so that state grows as it would.
 */
export async function benchReplay(options: {
  brokers: string;
  deliveries: number;
  copies: number;
  rounds: number;
}): Promise<{ events: number; series: Series[] }> {
  const { brokers, deliveries, copies } = options;
  const corpus = makeCorpus({
    deliveries,
    workspaces: 200,
    attackEvery: 30,
    seed: 42,
    startMs: Date.now(),
    answered: true,
  });
  const records = recordsOf(corpus);
  await fillWithCopies(brokers, records, copies);
  const mustBeFound = corpus.attacks.filter((attack) => attack.rule === rule).length * copies;

  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const config = join(folder, 'tripline.yaml');
  const others = rules.map(({ id }) => id).filter((id) => id !== rule && id !== stateFlooded);
  writeFileSync(config, `rules: { off: [${others.join(', ')}] }\n`);
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  const counts = [1, 2];
  const series = counts.map(processSeries);
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      for (const [index, processes] of counts.entries()) {
        const database = await emptyDatabaseOn(postgres.url);
        await migrate(database.db);
        const env = { TRIPLINE_CONFIG: config };
        series[index]!.values.push(await judgeAll({ brokers: [brokers], database, processes, env }));
        const { rows } = await database.db.pool.query<{ found: number }>('SELECT count(*)::int AS found FROM findings');
        await database.close();
        const { found } = rows[0]!;
        if (found !== mustBeFound)
          throw new Error(`${found} findings after a replay, not the ${mustBeFound} that are true`);
      }
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { events: records.length * copies, series };
}
