import type { AnyFact, Observed } from '@tripline/contracts/fact';
import type { Entity } from '@tripline/contracts/finding';
import type { Because, Conclusion } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { inOwnOrder } from '@tripline/facts/bounds';
import type { Sight } from './own-fact.ts';
import { entitiesOf } from './seen.ts';
import { type BuiltFinding, type Tell, withPeople } from './verdict.ts';

/** What a conclusion rests on: an observation, and its line of evidence. */
export type Basis = {
  fact: AnyFact;
  key: string;
  seen: Observed;
  what: string;
  /** The person and place, as entities of the finding. */
  entities?: readonly Entity[];
};

/**
 * What follows from facts. Evidence, confidence, the deciding event, and the people and repositories follow from `because`:
 * observations of the rule's own, or of shared facts.
 */
export type Concluded<Data> = Omit<BuiltFinding, 'because'> & {
  occasion: string;
  /** Until then it is not found where it does not stand: `Conclusion.heldUntilMs`. */
  heldUntilMs?: number;
  /** `Conclusion.acts`. */
  acts?: readonly string[];
  because: readonly (Basis | Sight<Data>)[];
};

/** Most observations that are read and pinned. */
const mostBecause = 40;

/** As the engine takes it. Of too many observations the earliest stay, whatever the order in which they were received. */
export function conclusionOf<Data>(concluded: Concluded<Data>, own: (sight: Sight<Data>) => Basis): Conclusion {
  const { because, response = [], remedy = [], entities = [], severity, confidence, ...rest } = concluded;
  const bases = because.map((one) => ('seen' in one ? one : own(one)));
  const kept = bases.toSorted((a, b) => inOwnOrder(a.seen, b.seen)).slice(0, mostBecause);
  return {
    ...rest,
    ...{ subject: clip(rest.subject, 500), title: clip(rest.title, 300), response, remedy },
    entities: withPeople(
      entities,
      // Of all: whoever is left out would be covered by an exception for the others.
      bases.map((basis) => basis.entities ?? []),
      rest.subject,
    ),
    because: kept.map(becauseOf),
    ...(severity === undefined ? {} : { severity }),
    ...(confidence === undefined ? {} : { confidence }),
  };
}

/** In place of `own` where nothing is a rule's own observation. */
export function noneOwn(): never {
  throw new Error('it rests on shared facts alone');
}

function becauseOf({ fact, key, seen, what }: Basis): Because {
  const { eventId, eventType, time, url, trust, fact: act } = seen;
  const evidence = { eventId, eventType, time, what: clip(what, 500), ...(url === undefined ? {} : { url }) };
  return { fact, key, trust, evidence, ...(act === undefined ? {} : { act }) };
}

/** An observation of the rule's own as what a conclusion rests on. */
export function basisOf<Data>(fact: AnyFact, tell: Tell<Sight<Data>>): (sight: Sight<Data>) => Basis {
  return (seen) => ({
    ...{ fact, key: seen.factKey, seen, what: tell(seen), entities: entitiesOf(seen) },
  });
}
