import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact, LearnContext } from '@tripline/contracts/fact';
import { type FactRow, isEmpty, pinnedBy, withFlood, withValue } from './concerns.ts';
import type { KeyedState, Slot } from './keyed-state/state.ts';
import { memoize } from './memoize.ts';
import { passingOver } from './passing-over.ts';
import { type ConfiguredRule, settingsFor } from './settings.ts';
import type { WorkspaceFacts } from './workspace-facts.ts';

/** One fact's part in one event, prepared: of which things it tells, or why that cannot be said. */
export type Learning = { fact: AnyFact; keys: readonly string[]; slots: readonly Slot[]; fault: string | null };
/** A fact that knows something new. `before`: its value until then. */
export type Changed = { fact: AnyFact; key: string; row: FactRow; before: unknown };

/** Under which name of keyed state the values of a fact stand. No rule's id has a colon. */
export const factRows = memoize((fact) => `fact:${fact}`);

/** Floods are not told anew while the fact remembers. */
export type Flood = { fact: AnyFact; key: string; kind: string; author: string };

export type FactsInUse = ReturnType<typeof factsOf>;

/**
 * The facts that rules use, by the type of event that they read.
 * @throws {Error} when two of them have one id.
 */
export function factsOf(rules: readonly ConfiguredRule[]) {
  const byId = new Map<string, AnyFact>();
  for (const { rule } of rules) {
    for (const fact of rule.concludes?.uses ?? []) {
      const other = byId.get(fact.id);
      if (other !== undefined && other !== fact)
        throw new Error(`${rule.id} uses another fact ${fact.id} than the rules before`);
      byId.set(fact.id, fact);
    }
  }
  const byType = new Map<EventType, AnyFact[]>();
  for (const fact of byId.values()) {
    for (const type of new Set(fact.reads)) byType.set(type, [...(byType.get(type) ?? []), fact]);
  }
  const wanting = rules.filter(({ rule }) => rule.concludes?.wants !== undefined);
  /** By a rule's settings, which are asked for again and again. */
  const wanted = new WeakMap<object, readonly string[]>();
  function wantedBy(
    configured: ConfiguredRule,
    workspace: string,
    known: WorkspaceFacts | undefined,
  ): readonly string[] {
    const settings = settingsFor(configured, known, workspace) as object;
    let names = wanted.get(settings);
    if (names === undefined) {
      names = configured.rule.concludes!.wants!.names(settings);
      wanted.set(settings, names);
    }
    return names;
  }
  const passing = passingOver(byType);
  return {
    /** Whether settings of a workspace ask that a fact keep more, by a name of its own. */
    isWanted: (fact: AnyFact, name: string, workspace: string, known: WorkspaceFacts | undefined): boolean =>
      wanting.some(
        (configured) =>
          configured.rule.concludes!.wants!.fact === fact && wantedBy(configured, workspace, known).includes(name),
      ),
    /** Whether they ask for anything of it. */
    isMoreWanted(fact: AnyFact, workspace: string, known: WorkspaceFacts | undefined): boolean {
      for (const configured of wanting) {
        if (configured.rule.concludes!.wants!.fact === fact && wantedBy(configured, workspace, known).length > 0)
          return true;
      }
      return false;
    },
    of: (type: EventType): readonly AnyFact[] | undefined => byType.get(type),
    passing,
    /** By the name of its rows. */
    ofRows: (name: string): AnyFact | undefined =>
      name.startsWith('fact:') ? byId.get(name.slice('fact:'.length)) : undefined,
  };
}

/** What learning has to do with. `wants`: whether settings of the workspace ask that the fact keep more, by name. */
export type Learner = ReturnType<typeof createLearner>;

export function createLearner(parts: {
  state: KeyedState;
  flooded: (flood: Flood) => void;
  wants: (fact: AnyFact, name: string) => boolean;
}) {
  const { state } = parts;
  /** The value at hand. One context is used again and again, since it is asked for several times an event. */
  let fact: AnyFact;
  let row: FactRow | undefined;
  const at: LearnContext = {
    key: '',
    nowMs: 0,
    pinned: pinnedBy(undefined),
    flooded(kind, author) {
      const { key } = at;
      row = withFlood(row ?? {}, kind, author);
      parts.flooded({ fact, key, kind, author });
    },
    wants: (name) => parts.wants(fact, name),
  };

  /**
   * Lets a fact learn one event under each of its keys; adds to `changed` what changed.
   * @throws whatever the fact throws; what it did until then is the caller's to undo.
   */
  return function learn(learning: Learning, event: LoggedEvent, nowMs: number, changed: Changed[]): void {
    const { keys, slots } = learning;
    fact = learning.fact;
    at.nowMs = nowMs;
    for (let place = 0; place < keys.length; place += 1) {
      const key = keys[place]!;
      const slot = slots[place]!;
      const before = state.get(slot, nowMs) as FactRow | undefined;
      row = before;
      at.key = key;
      at.pinned = pinnedBy(before);
      const value = fact.learn(before?.value, event, at);
      if (value !== before?.value) row = withValue(row, value);
      if (row === before) continue;
      if (row === undefined || isEmpty(row)) {
        if (before === undefined) continue;
        state.delete(slot);
      } else state.set(slot, row, fact.keepMs, nowMs);
      // Where the value says the same as before, what stood before still stands.
      const after = (state.get(slot, nowMs) as FactRow | undefined) ?? {};
      if (after.value !== before?.value) changed.push({ fact, key, row: after, before: before?.value });
    }
  };
}
