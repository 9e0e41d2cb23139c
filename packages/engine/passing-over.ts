import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact } from '@tripline/contracts/fact';

/** What events of one type are like that tell none of the facts anything, by their text. */
type Texts = {
  without: readonly Sought[];
  says: readonly Sought[];
  lacks: readonly Buffer[];
  unlessWanted: readonly AnyFact[];
};

/**
 * A text that is looked for. Every attribute begins with a quote, on which a search would stop some sixty times an event, so
 * it is looked for from its rarest letter on: a third of the time.
 */
export type Sought = { before: Buffer; rest: Buffer };
const rarestFirst = 'qxzjykwvbhf';

export function soughtOf(text: string): Sought {
  const rarest = [...rarestFirst].find((letter) => text.includes(letter)) ?? '"';
  const from = text.indexOf(rarest);
  return { before: Buffer.from(text.slice(0, from)), rest: Buffer.from(text.slice(from)) };
}

/** Whether the text stands in `value`. False too where its rest stands elsewhere before: then the event is read. */
function stands({ before, rest }: Sought, value: Buffer): boolean {
  const from = value.indexOf(rest) - before.length;
  if (from < 0) return false;
  for (let place = 0; place < before.length; place += 1) if (value[from + place] !== before[place]) return false;
  return true;
}

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
      without: [...without].map(soughtOf),
      says: [...says].map(soughtOf),
      lacks: [...new Set(all.flatMap((one) => one?.lacks ?? []))].map((text) => Buffer.from(text)),
      unlessWanted: facts.filter(({ passesOver }) => passesOver?.[type]?.unlessWanted),
    });
  }

  return {
    /** Whether there are events of the type that tell no fact anything. */
    mayPassOver: (type: EventType): boolean => texts.has(type),
    /** Whether an event tells no fact anything. `isWanted`: whether settings ask that a fact keep more. */
    byBytes(type: EventType, value: Buffer, isWanted: (fact: AnyFact) => boolean): boolean {
      const of = texts.get(type);
      if (of === undefined) return false;
      for (const text of of.says) if (!stands(text, value)) return false;
      // Where the rest of a name stands, the name may.
      for (const { rest } of of.without) if (value.includes(rest)) return false;
      for (const text of of.lacks) if (value.includes(text)) return false;
      return !of.unlessWanted.some(isWanted);
    },
    /** Whether an event that was read tells one fact nothing. */
    byData(fact: AnyFact, { type, data }: LoggedEvent, isWanted: (fact: AnyFact) => boolean): boolean {
      const of = fact.passesOver?.[type];
      // What stands somewhere in it is for the fact to find, which has it read.
      if (of === undefined || of.lacks !== undefined) return false;
      const said = data as Record<string, unknown>;
      for (const name in of.says) if (said[name] !== of.says[name as keyof typeof of.says]) return false;
      if (of.without?.some((name) => said[name] !== undefined)) return false;
      return !(of.unlessWanted && isWanted(fact));
    },
  };
}
