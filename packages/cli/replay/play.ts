import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { Finding } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { readLog, type Stretch } from '@tripline/trail/read-log';
import { createJudge } from './judge.ts';
import { openScratch } from './scratch.ts';

/** What a rule set made of a partition: what stands at its end. Plain data: it may come from another thread. */
export type Played = {
  findings: { finding: Finding; isSuperseded: boolean }[];
  retracted: number;
  faults: { rule: string; reason: string }[];
};

/**
 * Judges a stretch of the trail by each of several rule sets, from nothing, reading it once. `say` is told of so many more
 * records that were judged.
 */
export async function play(
  { db, config, folder }: { db: Pick<Db, 'pool'>; config: Config; folder: string },
  sets: readonly (readonly ConfiguredRule[])[],
  stretch: Stretch,
  say: (records: number) => void,
): Promise<Played[]> {
  const open = sets.map((rules) => {
    const own = mkdtempSync(join(folder, 'state-'));
    const scratch = openScratch(own);
    return { own, scratch, judge: createJudge(config, rules, scratch) };
  });
  try {
    const batches = readLog(db, stretch);
    // The next batch is read while one is judged.
    for (let reading = batches.next(); ; ) {
      const { done, value: records } = await reading;
      if (done) break;
      reading = batches.next();
      for (const { judge } of open) judge.judge({ records, caughtUpAtMs: null });
      say(records.length);
    }
    for (const { judge } of open) judge.judge({ records: [], caughtUpAtMs: stretch.to.getTime() });
    return open.map(({ judge: { standing } }) => ({
      findings: [...standing.findings.values()]
        .filter(({ id }) => !standing.retracted.has(id))
        .map((finding) => ({ finding, isSuperseded: standing.superseded.has(finding.id) })),
      retracted: standing.retracted.size,
      faults: [...standing.faults.values()],
    }));
  } finally {
    for (const { own, scratch } of open) {
      scratch.close();
      rmSync(own, { recursive: true, force: true });
    }
  }
}
