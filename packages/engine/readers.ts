import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { type Sought, soughtOf } from './passing-over.ts';
import type { ConfiguredRule } from './settings.ts';

/** The rules that read one type of event: those that want every one, and those that want an attribute, or a value of it. */
export type Readers = {
  all: readonly ConfiguredRule[];
  some: { attribute: string; byValue: Map<unknown, ConfiguredRule[]>; any: ConfiguredRule[]; inBytes: Sought }[];
};

/** By type of event, so that a thousand rules cost an event no more than those that want it. */
export function readersByType(rules: readonly ConfiguredRule[]) {
  const places = new Map(rules.map((configured, place) => [configured, place]));
  const byType = new Map<EventType, Readers & { all: ConfiguredRule[] }>();
  for (const configured of rules) {
    for (const type of new Set(configured.rule.reads)) {
      const readers = byType.get(type) ?? { all: [], some: [] };
      byType.set(type, readers);
      const { where, has } = configured.rule;
      if (where !== undefined)
        for (const value of new Set(where.oneOf)) add(readers, where.attribute, value, configured);
      else if (has !== undefined) indexOf(readers, has).any.push(configured);
      else readers.all.push(configured);
    }
  }

  return {
    of: (type: EventType): Readers | undefined => byType.get(type),
    wantAll: (readers: Readers | undefined): boolean => readers !== undefined && readers.all.length > 0,
    /** Whether one of `readers` may want an event of these bytes: never false for one that it wants. */
    mayWant: (readers: Readers | undefined, value: Buffer | null): boolean =>
      readers !== undefined &&
      (readers.all.length > 0 || value === null || readers.some.some(({ inBytes }) => value.includes(inBytes.rest))),
    /** Those of `readers` that want this very event, in the order in which they judge. */
    wanting({ all, some }: Readers, event: LoggedEvent): readonly ConfiguredRule[] {
      let found: ConfiguredRule[] | undefined;
      for (const { attribute, byValue, any } of some) {
        const value = (event.data as Record<string, unknown>)[attribute];
        if (value === undefined) continue;
        const matched = byValue.get(value);
        if (matched !== undefined) found = [...(found ?? all), ...matched];
        if (any.length > 0) found = [...(found ?? all), ...any];
      }
      return found?.sort((a, b) => places.get(a)! - places.get(b)!) ?? all;
    },
  };
}

function add(readers: Readers, attribute: string, value: unknown, configured: ConfiguredRule): void {
  const { byValue } = indexOf(readers, attribute);
  const wanting = byValue.get(value);
  if (wanting === undefined) byValue.set(value, [configured]);
  else wanting.push(configured);
}

function indexOf({ some }: Readers, attribute: string): Readers['some'][number] {
  const former = some.find((other) => other.attribute === attribute);
  if (former !== undefined) return former;
  const index = { attribute, byValue: new Map(), any: [], inBytes: soughtOf(JSON.stringify(attribute)) };
  some.push(index);
  return index;
}
