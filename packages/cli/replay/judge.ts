import type { Config } from '@tripline/config/config';
import { type Finding, isSurer } from '@tripline/contracts/finding';
import { faultOfOrigin } from '@tripline/contracts/internal';
import type { Effects } from '@tripline/engine/effects';
import { createEngine, type EngineBatch } from '@tripline/engine/engine';
import type { StateKey } from '@tripline/engine/keyed-state/keys';
import type { StateChange, StateRow } from '@tripline/engine/keyed-state/state';
import type { ConfiguredRule } from '@tripline/engine/settings';

const hourMs = 3_600_000;

/** What a partition's findings come to, as far as it was judged. */
export type Standing = {
  findings: Map<string, Finding>;
  retracted: Set<string>;
  /** Of a wider rule, where a narrower one found the same. */
  superseded: Set<string>;
  /** Why rules threw, each once. */
  faults: Map<string, { rule: string; reason: string }>;
};

/** What of the settings decides what is found, beside those of rules. */
export type JudgingConfig = Pick<Config, 'learningDays' | 'internalKeys' | 'workspaces' | 'drillKey'> &
  Partial<Pick<Config, 'broker'>>;

/** Where keyed state lies while it is judged: in files (`openScratch`), or in memory. */
export type JudgeStore = {
  /** What is at hand of a key: null where it has no row, undefined where that must be read. */
  peek: (key: StateKey) => StateRow | null | undefined;
  read: (keys: readonly StateKey[]) => StateRow[];
  /** Keeps what a batch changed, at the log's time. */
  keep: (changes: readonly StateChange[], nowMs: number) => void;
};

/** The engine of one partition with its state in a store, and what it finds. */
export function createJudge(
  config: JudgingConfig,
  rules: readonly ConfiguredRule[],
  store: JudgeStore,
  /** Told before a batch is evaluated, or evaluated again. */
  onEvaluate: () => void = () => {},
) {
  const { internalKeys, learningDays } = config;
  const engine = createEngine(
    {
      ...{ rules, learningDays, peek: store.peek },
      // The key of `tripline up` is not known here, so events with internal types are accepted without verifying their
      // MACs.
      ...(internalKeys === undefined ? {} : { originFault: (record) => faultOfOrigin(record, config) }),
    },
    { logTimeMs: 0, engineRows: [], timers: [], dedup: [] },
  );
  const standing: Standing = {
    findings: new Map(),
    retracted: new Set(),
    superseded: new Set(),
    faults: new Map(),
  };
  let sweptMs = 0;

  return {
    standing,
    /** Judges a batch; answers what followed from it. */
    judge(batch: EngineBatch): Effects {
      let missing = engine.plan(batch);
      for (;;) {
        engine.hold(missing, store.read(missing));
        onEvaluate();
        const result = engine.evaluate();
        if (!('effects' in result)) {
          missing = result.missing;
          continue;
        }
        const { effects } = result;
        store.keep(
          effects.state.filter(({ rule }) => !rule.startsWith('@')),
          effects.logTimeMs,
        );
        engine.commit();
        for (const verdict of effects.verdicts) lay(standing, verdict);
        for (const { rule, reason } of effects.poison) {
          if (rule !== null) standing.faults.set(`${rule} ${reason}`, { rule, reason });
        }
        if (effects.logTimeMs >= sweptMs + hourMs) {
          engine.sweep();
          sweptMs = effects.logTimeMs;
        }
        return effects;
      }
    },
  };
}

/** Has a verdict hold for what stands, as Postgres would. */
function lay({ findings, retracted, superseded }: Standing, verdict: Effects['verdicts'][number]): void {
  if (verdict.kind === 'retracted') retracted.add(verdict.retraction.findingId);
  else if ('finding' in verdict) {
    const { id } = verdict.finding;
    retracted.delete(id);
    if (!findings.has(id)) findings.set(id, verdict.finding);
    if (verdict.supersededBy == null) superseded.delete(id);
    else superseded.add(id);
  } else {
    const { findingId, by, severity, confidence, title, entities = [] } = verdict.change;
    const before = findings.get(findingId);
    if (before === undefined) return;
    if (verdict.kind === 'superseded') superseded[by == null ? 'delete' : 'add'](findingId);
    if (verdict.kind === 'lowered') findings.set(findingId, { ...before, severity: 'low' });
    if (verdict.kind === 'grown') {
      const grown = { severity: severity ?? before.severity, title: title ?? before.title };
      const surer = confidence !== undefined && isSurer(confidence, before.confidence) ? { confidence } : {};
      findings.set(findingId, { ...before, ...grown, ...surer, entities: [...before.entities, ...entities] });
    }
  }
}
