import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '@tripline/contracts/finding';
import type { ConfiguredRule } from '@tripline/engine/settings';
import type { KeptRecord } from '@tripline/trail/read-log';
import { createJudge, type JudgingConfig } from './judge.ts';
import { openScratch } from './scratch.ts';

/** What a rule set made of a partition: what stands at its end. Plain data: it may come from another thread. */
export type Played = {
  findings: { finding: Finding; isSuperseded: boolean }[];
  retracted: number;
  faults: { rule: string; reason: string }[];
};

/** For all rule sets: three times the detector's, since a replay changes months of state in minutes, and merges less of it so. */
const memtableBytes = 96 * 2 ** 20;

/**
 * Judges what one partition of the log held by each of several rule sets, from nothing, reading it once, and what falls due
 * until `toMs`. `say` is told of so many more records that were judged.
 */
export async function play(
  { config, folder }: { config: JudgingConfig; folder: string },
  sets: readonly (readonly ConfiguredRule[])[],
  batches: AsyncGenerator<KeptRecord[]>,
  toMs: number,
  say: (records: number) => void = () => {},
): Promise<Played[]> {
  const open = sets.map((rules) => {
    const own = mkdtempSync(join(folder, 'state-'));
    const scratch = openScratch(own, { memtableBytes, sharedBy: () => sets.length });
    return { own, scratch, judge: createJudge(config, rules, scratch) };
  });
  try {
    for await (const records of batches) {
      for (const { judge } of open) judge.judge({ records, caughtUpAtMs: null });
      say(records.length);
    }
    for (const { judge } of open) judge.judge({ records: [], caughtUpAtMs: toMs });
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
