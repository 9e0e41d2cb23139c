import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact, Fact } from '@tripline/contracts/fact';
import { inOwnOrder, keepBounded } from '@tripline/facts/bounds';
import { z } from 'zod';
import { type Seen, seenBy, seenSchema } from './seen.ts';
import type { Reading, Tell } from './verdict.ts';

/** What a rule keeps of an event for itself; times and people are added. */
export type Sight<Data> = Seen & {
  kind: string;
  data: Data;
  /** The log's time of its receipt, ms. It depends on the order of arrival, so no final result may depend on it. */
  heardMs: number;
  /** Under which key of the rule's fact. */
  factKey: string;
};
type Stored<Data> = Omit<Sight<Data>, 'factKey' | 'kind'>;
export type SightsByKind<Data> = { kinds: Record<string, readonly Stored<Data>[]> };

export type Sightings<Data> = Reading & {
  /** What belongs together, such as `repositoryKeyOf(event)`; undefined passes the event over. */
  key: (event: LoggedEvent) => string | undefined;
  /** What is kept of it; undefined skips the event. No sentences: they are made when they are reported. */
  observe: (event: LoggedEvent) => { kind: string; data: Data } | undefined;
  data: z.ZodType<Data>;
  /** Which events of a type it keeps nothing of, told from their bytes: they are not even parsed, where no other rule asks. */
  passesOver?: AnyFact['passesOver'];
  /** How it is said in one sentence. */
  tell: Tell<Sight<Data>>;
  /** Most observations of a kind under a key, of one author and in all; 20 and 60 by default. */
  bounds?: Readonly<Record<string, { perAuthor: number; most: number }>>;
};
/** Only the latest matter, so that to let go of others is no flood. */
type Rolling = { rolls?: true };

const usual = { perAuthor: 20, most: 60 };

/** A fact that one rule keeps for itself: its observations under a key, each kind bounded by author. */
export function ownFact<Data>(
  of: { id: string; keepMs: number; keyOf: (event: LoggedEvent) => string | undefined } & Sightings<Data> & Rolling,
): Fact<SightsByKind<Data>> {
  const { id, keepMs, keyOf, on, where, observe, bounds } = of;
  const oneOf = new Set<unknown>(where?.oneOf);
  const isWanted = ({ data }: LoggedEvent) =>
    where === undefined || oneOf.has((data as Record<string, unknown>)[where.attribute]);
  const storedSchema = seenSchema.extend({ data: of.data, heardMs: z.number() });
  return {
    id,
    description: `What the rule ${id} keeps for itself.`,
    reads: on,
    ...(of.passesOver === undefined ? {} : { passesOver: of.passesOver }),
    value: z.object({ kinds: z.record(z.string(), z.array(storedSchema)) }) as unknown as z.ZodType<SightsByKind<Data>>,
    keys(event) {
      const key = isWanted(event) ? keyOf(event) : undefined;
      return key === undefined || observe(event) === undefined ? [] : [key];
    },
    learn(known, event, at) {
      const { kind, data } = observe(event)!;
      const before = known?.kinds[kind] ?? [];
      const { perAuthor, most } = bounds?.[kind] ?? usual;
      const rolls = of.rolls ? ({ rolls: 'all' } as const) : {};
      const bound = { kind, authorOf: ({ by }: Stored<Data>) => by.id, mostPerAuthor: perAuthor, most, ...rolls };
      const after = keepBounded(before, { ...seenBy(event), data, heardMs: at.nowMs }, bound, at);
      return after === before ? known : { kinds: { ...known?.kinds, [kind]: after } };
    },
    keepMs,
  };
}

/** All of a value, in order of its own times. */
export function sightsOf<Data>(value: SightsByKind<Data> | undefined, key: string): Sight<Data>[] {
  const kinds = Object.entries(value?.kinds ?? {});
  return kinds.flatMap(([kind, sights]) => sights.map((sight) => ({ ...sight, kind, factKey: key }))).sort(inOwnOrder);
}
