import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Config } from '@tripline/config/config';
import type { Finding } from '@tripline/contracts/finding';
import { silenceOf } from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import { loadRuleSet, type RuleSet } from '@tripline/detector/load-rules';
import { coverOf } from '@tripline/detector/record-batches';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { typesRead } from '@tripline/engine/types-read';
import { listSilences } from '@tripline/incidents/silences';
import { topics } from '@tripline/stream/stream';
import { countLog, readLog } from '@tripline/trail/read-log';
import { type Change, ruleSetWith } from './change.ts';
import { type Played, play } from './play.ts';

/** What is to be replayed, as a thread is told of it. */
export type Asked = {
  /** By which settings and the database are found. */
  env: Record<string, string | undefined>;
  cwd: string;
  url: string;
  topic: string;
  from: Date;
  to: Date;
  change: Change;
  /** Whether it is also judged without the change. */
  isCompared: boolean;
  /** Ids of the only rules to judge; all where there are none. */
  only: readonly string[];
  /** Where state lies meanwhile. */
  folder: string;
};

/** Why a finding would have been told to nobody; null where it would have been told. */
export type HeldBy = 'excepted' | 'silenced' | 'superseded' | null;
export type Outcome = { finding: Finding; heldBy: HeldBy };

export type Replayed = {
  /** Of the rule set with the change. */
  outcomes: Outcome[];
  /** Of the rule set as it is, where both are compared. */
  before: Outcome[] | null;
  retracted: number;
  faults: { rule: string; reason: string }[];
};

/** Partitions of the trail, and how much of them is to be replayed. */
export const measure = (db: Pick<Db, 'pool'>, { from, to }: Pick<Asked, 'from' | 'to'>) =>
  countLog(db, { topic: topics.events, from, to });

/**
 * Judges what the trail kept of some time, from nothing and in memory and temporary files: nothing is recorded, told, looked up
 * or revoked. What happened before is not known, so rules that learn begin anew, and what was looked up then is missing. Of
 * several partitions as many are judged at once as the machine has cores. `say` is told of so many more records that were judged.
 */
export async function replay(
  { db, config, sets }: { db: Db; config: Config; sets: Sets },
  asked: Omit<Asked, 'folder' | 'topic'>,
  partitions: readonly { partition: number; records: number }[],
  say: (records: number) => void,
): Promise<Replayed> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-replay-'));
  try {
    const whole = { ...asked, folder, topic: topics.events };
    const largest = [...partitions].sort((a, b) => b.records - a.records).map(({ partition }) => partition);
    const threads = Math.min(largest.length, availableParallelism());
    const played =
      threads < 2
        ? await playHere({ db, config, sets }, whole, largest, say)
        : await playThere(whole, largest, threads, say);
    const stored = await listSilences(db);
    return replayedOf(played, { with: beside(sets.with), without: sets.without && beside(sets.without) });

    /** With the silences that people added, which stand in no file. */
    function beside(set: RuleSet): RuleSet {
      return { ...set, silences: [...set.silences, ...stored] };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What was made of each partition by each set, as one. */
export function replayedOf(played: readonly (readonly Played[])[], { with: with_, without }: Sets): Replayed {
  const [after, before] = [0, 1].map((nth) => played.flatMap((sets) => sets[nth] ?? []));
  const hasBefore = played.some((sets) => sets.length > 1);
  return {
    outcomes: outcomesOf(after!, with_),
    before: without === null ? null : outcomesOf(hasBefore ? before! : after!, without),
    retracted: after!.reduce((sum, { retracted }) => sum + retracted, 0),
    faults: [
      ...new Map(after!.flatMap(({ faults }) => faults).map((one) => [`${one.rule} ${one.reason}`, one])).values(),
    ],
  };
}

/** The rule set with the change and, where both are compared, the one without it. */
export type Sets = { with: RuleSet; without: RuleSet | null };

export async function setsFor(
  config: Config,
  { change, isCompared, cwd }: Pick<Asked, 'change' | 'isCompared' | 'cwd'>,
): Promise<Sets & Pick<Awaited<ReturnType<typeof ruleSetWith>>, 'own' | 'refused'>> {
  const { set, own, refused } = await ruleSetWith(config, change, cwd);
  return { with: set, without: isCompared ? await loadRuleSet(config) : null, own, refused };
}

/** The rules by which to judge: of the set with the change, and of the one without it where that judges otherwise and is asked for. */
export function rulesToPlay({ with: with_, without }: Sets, only: readonly string[]): (readonly ConfiguredRule[])[] {
  const sets = without !== null && with_.judges !== without.judges ? [with_, without] : [with_];
  return sets.map(({ rules }) => withSuperseders(rules, only));
}

/** Some rules, with those whose findings may stand for theirs; all where none are named. */
export function withSuperseders(rules: readonly ConfiguredRule[], only: readonly string[]): readonly ConfiguredRule[] {
  if (only.length === 0) return rules;
  const wanted = new Set(only);
  for (let before = 0; before < wanted.size; ) {
    before = wanted.size;
    for (const { rule } of rules) {
      const { id, supersedes = [], yieldsTo = [] } = rule;
      if ([...supersedes, ...yieldsTo].some((other) => wanted.has(other))) wanted.add(id);
      if (wanted.has(id)) for (const other of yieldsTo) wanted.add(other);
    }
  }
  return rules.filter(({ rule }) => wanted.has(rule.id));
}

/** Types of events that some of the sets reads. */
export const typesOf = (sets: readonly (readonly ConfiguredRule[])[]): ReadonlySet<string> => typesRead(sets.flat());

async function playHere(
  { db, config, sets }: { db: Db; config: Config; sets: Sets },
  asked: Asked,
  partitions: readonly number[],
  say: (records: number) => void,
): Promise<Played[][]> {
  const rules = rulesToPlay(sets, asked.only);
  const played: Played[][] = [];
  for (const partition of partitions) {
    const records = readLog(db, { ...asked, partition, types: typesOf(rules) });
    played.push(await play({ config, folder: asked.folder }, rules, records, asked.to.getTime(), say));
  }
  return played;
}

/** In threads, each of which is given the next partition when it is done with one. */
async function playThere(
  asked: Asked,
  partitions: readonly number[],
  threads: number,
  say: (records: number) => void,
): Promise<Played[][]> {
  const open = [...partitions];
  const played: Played[][] = [];
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.resolve('./worker.ts')), { workerData: asked });
      const next = () => worker.postMessage(open.shift() ?? null);
      worker.on('message', (said: { records: number } | { played: Played[] }) => {
        if ('records' in said) return say(said.records);
        played.push(said.played);
        next();
      });
      worker.on('error', reject);
      worker.on('exit', (status) =>
        status === 0 ? resolve() : reject(new Error(`a thread of the replay ended: ${status}`)),
      );
      next();
    });
  await Promise.all(Array.from({ length: threads }, one));
  return played;
}

function outcomesOf(played: readonly Played[], policies: RuleSet): Outcome[] {
  const coveredBy = coverOf(policies);
  return played
    .flatMap(({ findings }) => findings)
    .map(({ finding, isSuperseded }) => ({ finding, heldBy: heldBy(finding, isSuperseded) }))
    .sort((a, b) => (a.finding.detectedAt < b.finding.detectedAt ? -1 : 1));

  function heldBy(finding: Finding, isSuperseded: boolean): HeldBy {
    if (isSuperseded) return 'superseded';
    if (coveredBy(finding) !== undefined) return 'excepted';
    return silenceOf(finding, policies.silences) === undefined ? null : 'silenced';
  }
}
