import type { AnyRule } from '@tripline/contracts/rule';
import type { FindingChange, FindingVerdict } from './effects.ts';
import { findingId } from './finding-id.ts';

/** A finding by its id, and the rule that found it. */
export type Named = { id: string; rule: string };
/** What decides whether one finding supersedes another. `narrower`: ids of those that supersede it. */
type Row = {
  withdrawn?: true;
  lowered?: true;
  unproven?: readonly string[];
  narrower?: readonly string[];
};
type What = { workspace: string; subject: string; occasion: string };

/**
 * Where a narrower rule finds the same, it speaks. That is settled once all that follows from an event, or from the timers of
 * one moment, is judged, so that what both rules say of it takes effect at once, whichever of them was asked first.
 */
export function createSuperseding(parts: {
  rules: readonly AnyRule[];
  verdicts: FindingVerdict[];
  /** What is kept of a finding of a workspace. */
  read: (workspace: string, id: string) => Row | undefined;
  keep: (workspace: string, of: Named, narrower: readonly string[]) => void;
}) {
  const { verdicts, read, keep } = parts;
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
    const narrower = all.filter((id) => (changed.has(id) ? supersedes(read(workspace, id), row) : true)).sort();
    const isSame = narrower.join() === former.join();
    if (!isSame) keep(workspace, wide, narrower);
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

  return {
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
      { wider, under }: { wider?: readonly Named[]; under?: readonly string[] },
    ): void {
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

const isFoundOf = (verdict: FindingVerdict, id: string) => 'finding' in verdict && verdict.finding.id === id;
