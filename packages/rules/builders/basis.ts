import type { AnyFact, Observed } from '@tripline/contracts/fact';
import type { Entity } from '@tripline/contracts/finding';
import type { Because, Conclusion, FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { inOwnOrder } from '@tripline/facts/bounds';
import type { Sight } from './own-fact.ts';
import type { BuiltFinding, Tell } from './verdict.ts';

/** What a conclusion rests on: something that was observed of a thing, and how it is said. */
export type Basis = {
  fact: AnyFact;
  key: string;
  seen: Observed;
  what: string;
  /** Login and full name, for the finding's entities. */
  by?: string | undefined;
  repository?: string | undefined;
};

/**
 * What follows from facts. Evidence, confidence, the deciding event, and the people and repositories follow from `because`:
 * observations of the rule's own, or of shared facts.
 */
export type Concluded<Data> = Omit<BuiltFinding, 'because'> & {
  occasion: string;
  because: readonly (Basis | Sight<Data>)[];
};

/** More than this is neither read nor pinned. */
const mostBecause = 40;
const mostEntities = 20;

/** As the engine takes it. Of too many observations the earliest stay, whatever the order in which they were received. */
export function conclusionOf<Data>(concluded: Concluded<Data>, own: (sight: Sight<Data>) => Basis): Conclusion {
  const { because, response = [], remedy = [], entities = [], severity, confidence, ...rest } = concluded;
  const bases = because.map((one) => ('fact' in one ? one : own(one)));
  const kept = bases.toSorted((a, b) => inOwnOrder(a.seen, b.seen)).slice(0, mostBecause);
  return {
    ...rest,
    ...{ subject: clip(rest.subject, 500), title: clip(rest.title, 300), response, remedy },
    entities: withPeople(entities, kept),
    because: kept.map(becauseOf),
    ...(severity === undefined ? {} : { severity }),
    ...(confidence === undefined ? {} : { confidence }),
  };
}

function withPeople(entities: readonly Entity[], bases: readonly Basis[]): FindingDraft['entities'] {
  const people = bases.flatMap(({ by }) => (by === undefined ? [] : [{ kind: 'user' as const, id: by }]));
  const places = bases.flatMap(({ repository }) =>
    repository === undefined ? [] : [{ kind: 'repository' as const, id: repository }],
  );
  const once = new Map([...entities, ...people, ...places].map((entity) => [`${entity.kind} ${entity.id}`, entity]));
  return [...once.values()].slice(0, mostEntities);
}

function becauseOf({ fact, key, seen, what }: Basis): Because {
  const { eventId, eventType, time, url, trust } = seen;
  const evidence = { eventId, eventType, time, what: clip(what, 500), ...(url === undefined ? {} : { url }) };
  return { fact, key, trust, evidence };
}

/** An observation of the rule's own as what a conclusion rests on. */
export function basisOf<Data>(fact: AnyFact, tell: Tell<Sight<Data>>): (sight: Sight<Data>) => Basis {
  return (seen) => ({
    ...{ fact, key: seen.factKey, seen, what: tell(seen), by: seen.by.name, repository: seen.repository?.name },
  });
}
