import { isAsGraveAs, isGraver, type Severity } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import type { FindingChange, FindingVerdict } from './effects.ts';
import { findingId } from './finding-id.ts';

/** A finding by its id, and the rule that found it. */
export type Named = { id: string; rule: string };
/** What decides whether one finding supersedes another. `narrower`: ids of those that supersede it; `twins`: of one act with it. */
type Row = {
  withdrawn?: true;
  lowered?: true;
  severity?: Severity;
  unproven?: readonly string[];
  narrower?: readonly string[];
  twins?: readonly Named[];
};
/** Findings of one act: of rules that know it by its name alone, and of those that they yield to. */
export type ActRow = { plain: readonly Named[]; fuller: readonly Named[] };
/** Of one act as many of either are remembered, the first. */
const mostOfAct = 20;
type What = { workspace: string; subject: string; occasion: string };

/**
 * Where a narrower rule finds the same, it speaks; where one that knows an act by its name alone yields to another
 * (`yieldsTo`), the graver of the two does, whatever subject either names. That is settled once all that follows from an event, or from the timers of
 * one moment, is judged, so that what both rules say of it takes effect at once, whichever of them was asked first.
 */
export function createSuperseding(parts: {
  rules: readonly AnyRule[];
  verdicts: FindingVerdict[];
  /** What is kept of a finding of a workspace. */
  read: (workspace: string, id: string) => Row | undefined;
  keep: (workspace: string, of: Named, change: Pick<Row, 'narrower' | 'twins'>) => void;
  readAct: (workspace: string, act: string) => ActRow | undefined;
  keepAct: (workspace: string, act: string, row: ActRow, of: Named) => void;
}) {
  const { verdicts, read, keep, readAct, keepAct } = parts;
  /** By rule: to which it yields, and whether any yields to it. */
  const yields = new Map(parts.rules.map(({ id, yieldsTo = [] }) => [id, new Set(yieldsTo)]));
  const isFuller = new Set(parts.rules.flatMap(({ yieldsTo = [] }) => yieldsTo));
  const narrowerRules = new Map<string, string[]>();
  for (const { id, supersedes = [] } of parts.rules) {
    for (const wider of supersedes) narrowerRules.set(wider, [...(narrowerRules.get(wider) ?? []), id]);
  }
  /** What is to be settled, by workspace and wider finding: which narrower ones changed. */
  const pairs = new Map<string, { workspace: string; wide: Named; changed: Set<string> }>();
  let settledVerdicts = 0;

  const named = (rule: string, what: What): Named => ({ rule, id: findingId({ ...what, rule }) });
  function touch(workspace: string, wide: Named, changed: readonly string[]): void {
    const name = `${workspace}\0${wide.id}`;
    const pair = pairs.get(name) ?? { workspace, wide, changed: new Set() };
    pairs.set(name, pair);
    for (const id of changed) pair.changed.add(id);
  }
  function settleOne(workspace: string, wide: Named, changed: ReadonlySet<string>, atMs: number): void {
    const row = read(workspace, wide.id);
    if (row === undefined) return;
    const former = row.narrower ?? [];
    const all = [...new Set([...former, ...changed])];
    const speaks = (id: string): boolean => {
      const other = read(workspace, id);
      const twin = row.twins?.find((one) => one.id === id);
      return (
        supersedes(other, row) &&
        (twin === undefined || speaksBefore(other!, row, yields.get(wide.rule)!.has(twin.rule)))
      );
    };
    const narrower = all.filter((id) => (changed.has(id) ? speaks(id) : true)).sort();
    const isSame = narrower.join() === former.join();
    if (!isSame) keep(workspace, wide, { narrower });
    if (row.withdrawn) return;
    const [by] = narrower;
    const place = verdicts.findLastIndex((one, at) => at >= settledVerdicts && isFoundOf(one, wide.id));
    const found = verdicts[place];
    if (found !== undefined && 'finding' in found) {
      if (by !== undefined) verdicts[place] = { ...found, supersededBy: by };
    } else if (by !== former[0]) {
      const change: FindingChange = { findingId: wide.id, workspace, rule: wide.rule, atMs };
      verdicts.push({ kind: 'superseded', change: { ...change, by: by ?? null } });
    }
  }

  function pair(workspace: string, one: Named, other: Named): void {
    for (const [of, twin] of [
      [one, other],
      [other, one],
    ] as const) {
      const row = read(workspace, of.id);
      if (row === undefined) continue;
      const twins = row.twins ?? [];
      if (!twins.some(({ id }) => id === twin.id)) keep(workspace, of, { twins: [...twins, twin] });
      touch(workspace, of, [twin.id]);
    }
  }

  return {
    /**
     * A finding is of these acts: with those of the same act that one of the two rules yields to the other, it is settled which
     * speaks. Of a rule that yields, the act is its occasion.
     */
    pairByActs(workspace: string, of: Named, occasion: string, acts: readonly string[]): void {
      const isPlain = (yields.get(of.rule)?.size ?? 0) > 0;
      if (!isPlain && !isFuller.has(of.rule)) return;
      const [side, others] = isPlain ? (['plain', 'fuller'] as const) : (['fuller', 'plain'] as const);
      for (const act of isPlain ? [occasion] : acts) {
        const row = readAct(workspace, act) ?? { plain: [], fuller: [] };
        if (row[side].length >= mostOfAct || row[side].some(({ id }) => id === of.id)) continue;
        keepAct(workspace, act, { ...row, [side]: [...row[side], of] }, of);
        for (const other of row[others]) {
          const [plain, fuller] = isPlain ? [of, other] : [other, of];
          if (yields.get(plain.rule)?.has(fuller.rule)) pair(workspace, plain, fuller);
        }
      }
    },
    /** The findings of wider rules for which one of `rule` speaks; undefined where there are none. */
    widerOf: ({ supersedes = [] }: AnyRule, what: What): Named[] | undefined =>
      supersedes.length === 0 ? undefined : supersedes.map((wider) => named(wider, what)),
    /** Ids of the findings of narrower rules that may speak for one of `rule`; undefined where there are none. */
    narrowerOf: ({ id }: AnyRule, what: What): string[] | undefined =>
      narrowerRules.get(id)?.map((rule) => named(rule, what).id),
    /** What is kept of a finding changed. `wider`: those for which it may speak; `under`: those that may speak for it. */
    changed(
      workspace: string,
      of: Named,
      { wider, under, twins }: { wider?: readonly Named[]; under?: readonly string[]; twins?: readonly Named[] },
    ): void {
      for (const twin of twins ?? []) touch(workspace, twin, [of.id]);
      if (twins !== undefined)
        touch(
          workspace,
          of,
          twins.map(({ id }) => id),
        );
      for (const wide of wider ?? []) touch(workspace, wide, [of.id]);
      if (under !== undefined) touch(workspace, of, under);
    },
    /** All that follows from one event, or from the timers of a moment, is judged. */
    settle(atMs: number): void {
      // Of nearly every event nothing is found, and a map that is cleared makes itself anew.
      if (pairs.size > 0) {
        for (const { workspace, wide, changed } of pairs.values()) settleOne(workspace, wide, changed, atMs);
        pairs.clear();
      }
      settledVerdicts = verdicts.length;
    },
    reset(): void {
      pairs.clear();
      settledVerdicts = 0;
    },
  };
}

/** What is taken back, doubted more, or less proved than the wider finding does not hide it. */
function supersedes(narrow: Row | undefined, wide: Row): boolean {
  if (narrow === undefined || narrow.withdrawn) return false;
  if (narrow.lowered && !wide.lowered) return false;
  return narrow.unproven === undefined || wide.unproven !== undefined;
}

/** Whether one finding is graver than another of the same act; of equal ones that speaks to which the other `yields`. */
function speaksBefore(one: Row, other: Row, yields: boolean): boolean {
  const severityOf = ({ lowered, severity = 'low' }: Row) => (lowered ? 'low' : severity);
  return yields ? isAsGraveAs(severityOf(one), severityOf(other)) : isGraver(severityOf(one), severityOf(other));
}

const isFoundOf = (verdict: FindingVerdict, id: string) => 'finding' in verdict && verdict.finding.id === id;
