import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { ConfiguredRule } from './settings.ts';

/** The rules that read one type of event: those that want every one, and those that want a value of an attribute. */
export type Readers = {
  all: readonly ConfiguredRule[];
  some: { attribute: string; byValue: Map<unknown, ConfiguredRule[]> }[];
};

/** By type of event, so that a thousand rules cost an event no more than those that want it. */
export function readersByType(rules: readonly ConfiguredRule[]) {
  const places = new Map(rules.map((configured, place) => [configured, place]));
  const byType = new Map<EventType, Readers & { all: ConfiguredRule[] }>();
  for (const configured of rules) {
    for (const type of new Set(configured.rule.reads)) {
      const readers = byType.get(type) ?? { all: [], some: [] };
      byType.set(type, readers);
      const { where } = configured.rule;
      if (where === undefined) readers.all.push(configured);
      else for (const value of new Set(where.oneOf)) add(readers, where.attribute, value, configured);
    }
  }

  return {
    of: (type: EventType): Readers | undefined => byType.get(type),
    /** Those of `readers` that want this very event, in the order in which they judge. */
    wanting({ all, some }: Readers, event: LoggedEvent): readonly ConfiguredRule[] {
      let found: ConfiguredRule[] | undefined;
      for (const { attribute, byValue } of some) {
        const matched = byValue.get((event.data as Record<string, unknown>)[attribute]);
        if (matched !== undefined) found = [...(found ?? all), ...matched];
      }
      return found?.sort((a, b) => places.get(a)! - places.get(b)!) ?? all;
    },
  };
}

function add(readers: Readers, attribute: string, value: unknown, configured: ConfiguredRule): void {
  let index = readers.some.find((other) => other.attribute === attribute);
  if (index === undefined) {
    index = { attribute, byValue: new Map() };
    readers.some.push(index);
  }
  const wanting = index.byValue.get(value);
  if (wanting === undefined) index.byValue.set(value, [configured]);
  else wanting.push(configured);
}
