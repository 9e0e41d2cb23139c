import type { Config } from '@tripline/config/config';
import { exceptionOf } from '@tripline/contracts/exception';
import type { Finding } from '@tripline/contracts/finding';
import { faultOfOrigin } from '@tripline/contracts/internal';
import { silenceOf } from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import type { RuleSet } from '@tripline/detector/load-rules';
import type { Effects } from '@tripline/engine/effects';
import { createEngine, type EngineBatch } from '@tripline/engine/engine';
import { joinKey } from '@tripline/engine/keyed-state/keys';
import type { StateRow } from '@tripline/engine/keyed-state/state';
import { topics } from '@tripline/stream/stream';
import { readLog } from '@tripline/trail/read-log';

/** The findings that a rule set would have made. */
export type DryRun = {
  events: number;
  /** The limit was reached: there may be more events. */
  isCut: boolean;
  /** Findings that stand at the end, with what would have kept them from being reported. */
  findings: { finding: Finding; heldBy: 'excepted' | 'silenced' | 'superseded' | null }[];
  retracted: number;
  /** Why rules threw, each once. */
  faults: { rule: string; reason: string }[];
};

/**
 * Evaluates a rule set on the trail's records since `since`, in memory: nothing is recorded, reported or looked up.
 * State from before `since` is missing.
 */
export async function dryRun(
  db: Db,
  config: Config,
  { rules, silences, exceptions }: RuleSet,
  { since, limit }: { since: Date; limit: number },
): Promise<DryRun> {
  const judges = new Map<number, ReturnType<typeof createJudge>>();
  const judgeOf = (partition: number) => {
    const judge = judges.get(partition) ?? createJudge(config, rules);
    judges.set(partition, judge);
    return judge;
  };
  let events = 0;
  for await (const records of readLog(db, { topic: topics.events, since, limit })) {
    events += records.length;
    for (const [partition, own] of Map.groupBy(records, (record) => record.partition))
      judgeOf(partition).judge({ records: own, caughtUpAtMs: null });
  }
  const played = [...judges.values()].map(({ judge, standing }) => {
    judge({ records: [], caughtUpAtMs: Date.now() });
    return standing;
  });
  const faults = new Map(
    played.flatMap(({ poison }) =>
      poison.flatMap(({ rule, reason }) => (rule === null ? [] : [[`${rule} ${reason}`, { rule, reason }] as const])),
    ),
  );
  return {
    events,
    isCut: events >= limit,
    findings: played.flatMap(({ findings, retracted, superseded }) =>
      [...findings.values()]
        .filter(({ id }) => !retracted.has(id))
        .map((finding) => ({
          finding,
          heldBy: superseded.has(finding.id)
            ? ('superseded' as const)
            : exceptionOf(finding, exceptions) !== undefined
              ? ('excepted' as const)
              : silenceOf(finding, silences) !== undefined
                ? ('silenced' as const)
                : null,
        })),
    ),
    retracted: played.reduce((sum, { retracted }) => sum + retracted.size, 0),
    faults: [...faults.values()],
  };
}

/** The engine of one partition, with its state in memory and what it finds. */
function createJudge(config: Config, rules: RuleSet['rules']) {
  const { internalKeys, learningDays } = config;
  const engine = createEngine(
    {
      ...{ rules, learningDays },
      // The key of `tripline up` is not known here, so events with internal types are accepted without verifying their
      // MACs.
      ...(internalKeys === undefined ? {} : { originFault: (record) => faultOfOrigin(record, config) }),
    },
    { logTimeMs: 0, engineRows: [], timers: [], dedup: [] },
  );
  const state = new Map<string, StateRow>();
  const standing = {
    findings: new Map<string, Finding>(),
    retracted: new Set<string>(),
    superseded: new Set<string>(),
    poison: [] as Effects['poison'],
  };

  function lay(verdict: Effects['verdicts'][number]): void {
    const { findings, retracted, superseded } = standing;
    if (verdict.kind === 'retracted') retracted.add(verdict.retraction.findingId);
    else if ('finding' in verdict) {
      const { id } = verdict.finding;
      retracted.delete(id);
      if (!findings.has(id)) findings.set(id, verdict.finding);
      if (verdict.supersededBy == null) superseded.delete(id);
      else superseded.add(id);
    } else {
      const { findingId, by, severity, title, entities = [] } = verdict.change;
      const before = findings.get(findingId);
      if (before === undefined) return;
      if (verdict.kind === 'superseded') superseded[by == null ? 'delete' : 'add'](findingId);
      if (verdict.kind === 'lowered') findings.set(findingId, { ...before, severity: 'low' });
      if (verdict.kind === 'grown') {
        const grown = { severity: severity ?? before.severity, title: title ?? before.title };
        findings.set(findingId, { ...before, ...grown, entities: [...before.entities, ...entities] });
      }
    }
  }

  function judge(batch: EngineBatch): void {
    let missing = engine.plan(batch);
    for (;;) {
      engine.hold(
        missing,
        missing.flatMap(({ workspace, rule, key }) => state.get(joinKey(workspace, rule, key)) ?? []),
      );
      const result = engine.evaluate();
      if (!('effects' in result)) {
        missing = result.missing;
        continue;
      }
      for (const { workspace, rule, key, json, expiresMs } of result.effects.state) {
        const name = joinKey(workspace, rule, key);
        if (json === null) state.delete(name);
        else state.set(name, { workspace, rule, key, value: JSON.parse(json), expiresMs });
      }
      for (const verdict of result.effects.verdicts) lay(verdict);
      standing.poison.push(...result.effects.poison);
      engine.commit();
      return;
    }
  }
  return { judge, standing };
}
