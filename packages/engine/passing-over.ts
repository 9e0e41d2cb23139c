import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact } from '@tripline/contracts/fact';

/** What events of one type are like that tell none of the facts anything, as bytes of their text. */
type Texts = { without: readonly Buffer[]; says: readonly Buffer[]; unlessWanted: readonly AnyFact[] };

/** Which events tell facts nothing, told from their bytes or from what they say. `byType`: the facts that read a type. */
export function passingOver(byType: ReadonlyMap<EventType, readonly AnyFact[]>) {
  const texts = new Map<EventType, Texts>();
  for (const [type, facts] of byType) {
    const all = facts.map(({ passesOver }) => passesOver?.[type]);
    if (all.includes(undefined)) continue;
    const without = new Set(all.flatMap((one) => one?.without ?? []).map((name) => JSON.stringify(name)));
    // Quotes within a text are escaped, so no text of a stranger's reads so.
    const says = new Set(
      all
        .flatMap((one) => Object.entries(one?.says ?? {}))
        .map(([name, value]) => JSON.stringify({ [name]: value }).slice(1, -1)),
    );
    texts.set(type, {
      without: [...without].map((text) => Buffer.from(text)),
      says: [...says].map((text) => Buffer.from(text)),
      unlessWanted: facts.filter(({ passesOver }) => passesOver?.[type]?.unlessWanted),
    });
  }

  return {
    /** Whether an event tells no fact anything. `isWanted`: whether settings ask that a fact keep more. */
    byBytes(type: EventType, value: Buffer, isWanted: (fact: AnyFact) => boolean): boolean {
      const of = texts.get(type);
      if (of === undefined) return false;
      for (const text of of.says) if (!value.includes(text)) return false;
      for (const name of of.without) if (value.includes(name)) return false;
      return !of.unlessWanted.some(isWanted);
    },
    /** Whether an event that was read tells one fact nothing. */
    byData(fact: AnyFact, { type, data }: LoggedEvent, isWanted: (fact: AnyFact) => boolean): boolean {
      const of = fact.passesOver?.[type];
      if (of === undefined) return false;
      const said = data as Record<string, unknown>;
      for (const name in of.says) if (said[name] !== of.says[name as keyof typeof of.says]) return false;
      if (of.without?.some((name) => said[name] !== undefined)) return false;
      return !(of.unlessWanted && isWanted(fact));
    },
  };
}
