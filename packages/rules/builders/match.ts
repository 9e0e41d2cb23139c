import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { defineRule, type Rule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { seenBy } from './seen.ts';
import { type BuiltFinding, common, draftOf, type Meta, type Reading, type SettingsOf, type Shape } from './verdict.ts';

/**
 * The finding of one event: `what` is its line of evidence; the occasion is the event, unless a more stable one is
 * named.
 */
export type Match = Omit<BuiltFinding, 'because'> & { occasion?: string; what: string };

/** One event is enough. */
export function match<S extends Shape>(
  of: Meta & Reading & { settings?: S; find: (event: LoggedEvent, settings: SettingsOf<S>) => Match | undefined },
): Rule<unknown, SettingsOf<S>> {
  return defineRule<unknown, SettingsOf<S>>({
    ...common(of, of.settings ?? ({} as S)),
    judge(event, context) {
      const found = of.find(event, context.settings);
      if (found === undefined) return;
      const occasion = found.occasion ?? event.fact ?? event.id;
      const { 'tripline.audit.id': record, 'client.address': address } = event.data as Attributes;
      // By it an exception for a network holds: the provider's own log says from where somebody acted.
      const from = address === undefined ? [] : [{ kind: 'address' as const, id: clip(address, 200) }];
      const entities = [...(found.entities ?? []), ...from];
      const draft = draftOf({ ...found, entities, occasion, because: [seenBy(event)] }, () => found.what);
      const evidence = record === undefined ? draft.evidence : draft.evidence.map((line) => ({ ...line, record }));
      context.find({ ...draft, evidence });
    },
  });
}
