import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact, LearnContext } from '@tripline/contracts/fact';
import { type FactRow, isEmpty, pinnedBy, withFlood, withValue } from './concerns.ts';
import type { KeyedState, Slot } from './keyed-state/state.ts';
import { memoize } from './memoize.ts';
import type { ConfiguredRule } from './settings.ts';

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
  const wanting = Map.groupBy(
    rules.filter(({ rule }) => rule.concludes?.wants !== undefined),
    ({ rule }) => rule.concludes!.wants!.fact,
  );
  const needed = new Map<EventType, Buffer[]>();
  for (const [type, facts] of byType) {
    const names = new Set(facts.map(({ needs }) => needs?.[type]));
    if (names.has(undefined)) continue;
    const texts = [...names].map((name) => Buffer.from(JSON.stringify(name)));
    needed.set(type, texts);
  }
  return {
    /** The rules whose settings may ask that a fact keep more. */
    wanting: (fact: AnyFact): readonly ConfiguredRule[] => wanting.get(fact) ?? [],
    of: (type: EventType): readonly AnyFact[] | undefined => byType.get(type),
    /** Whether an event of this type tells no fact anything, seen from its bytes: it has no attribute that they need. */
    passOver: (type: EventType, value: Buffer): boolean =>
      needed.get(type)?.every((name) => !value.includes(name)) === true,
    /** By the name of its rows. */
    ofRows: (name: string): AnyFact | undefined =>
      name.startsWith('fact:') ? byId.get(name.slice('fact:'.length)) : undefined,
  };
}

/** What learning has to do with. `wants`: whether settings of the workspace ask that the fact keep more, by name. */
export type Learner = {
  state: KeyedState;
  flooded: (flood: Flood) => void;
  wants: (fact: AnyFact, name: string) => boolean;
};

/**
 * Lets a fact learn one event under each of its keys; adds to `changed` what changed.
 * @throws whatever the fact throws; what it did until then is the caller's to undo.
 */
export function learn(
  { fact, keys, slots }: Learning,
  event: LoggedEvent,
  nowMs: number,
  { state, flooded, wants }: Learner,
  changed: Changed[],
): void {
  for (let place = 0; place < keys.length; place += 1) {
    const key = keys[place]!;
    const slot = slots[place]!;
    const before = state.get(slot, nowMs) as FactRow | undefined;
    let row = before;
    const at: LearnContext = {
      key,
      nowMs,
      pinned: pinnedBy(before),
      flooded: (kind, author) => {
        row = withFlood(row ?? {}, kind, author);
        flooded({ fact, key, kind, author });
      },
      wants: (name) => wants(fact, name),
    };
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
}
