import type { z } from 'zod';
import type { AttributeName } from './attributes.ts';
import type { EventType, LoggedEvent } from './event.ts';
import type { Confidence, Evidence } from './finding.ts';

/**
 * A fact: what is known of one kind of thing (a run, a commit, a grant), shared by all rules. The engine keeps it once a
 * workspace, a value a key, and lets it learn each event once, before any rule is asked.
 *
 * `learn` is commutative and idempotent: a value is a set of observations, reduced by the provider's own times, never by the
 * order in which they were received. Names can change hands, so keys are ids: `thingKey(provider, instance, id)`.
 */
export type Fact<Value = unknown> = {
  /** Plural, kebab-case, also the name of its file in packages/facts: `runs`, `commits`. */
  id: string;
  /** What is known, from which events, and what is not. For the page of facts. */
  description: string;
  reads: readonly EventType[];
  /**
   * Of some of these types: what an event is like that tells the fact nothing. Where that goes for all that read a type, such
   * an event is not even parsed.
   */
  passesOver?: Readonly<Partial<Record<EventType, PassedOver>>>;
  value: z.ZodType<Value>;
  /** The things of which `event` tells; an empty list passes it over. */
  keys: (event: LoggedEvent) => readonly string[];
  /**
   * What is known under `at.key` once `event` was received. Pure; the same object where it adds nothing, so that nothing is
   * written and nobody is asked anew. Undefined keeps nothing.
   */
  learn: (known: Value | undefined, event: LoggedEvent, at: LearnContext) => Value | undefined;
  /** How long a value is kept after it last changed, ms of the log's time. */
  keepMs: number;
};

/**
 * An event that has none of the attributes `without`, and of which each attribute `says` says just that. `unlessWanted`: but
 * where settings of the workspace ask that the fact keep more (`Concludes.wants`). `lacks`: texts of which none stands anywhere
 * in it, such as what an attack is written with: ASCII without quotes and backslashes, as it stands in JSON.
 */
export type PassedOver = {
  without?: readonly AttributeName[];
  says?: Readonly<Partial<Record<AttributeName, string | number | boolean>>>;
  unlessWanted?: true;
  lacks?: readonly string[];
};

/** What `learn` may know beside the event. */
export type LearnContext = {
  key: string;
  /** The log's time, ms since the epoch. */
  nowMs: number;
  /**
   * Ids of events on which a standing finding rests: what was observed by them is never dropped. Where another observation
   * takes its place, its event is named beside it (`inPlaceOf` of packages/facts/bounds.ts). A finding that rests on what
   * is gone is frozen.
   */
  pinned: ReadonlySet<string>;
  /** Says that observations of `kind` by `author` reached their bound, and that one is not kept. See packages/facts/bounds.ts. */
  flooded: (kind: string, author: string) => void;
  /** Whether some rule's settings ask for what the fact keeps only then, under a name of the fact's own. See `Concludes.wants`. */
  wants: (name: string) => boolean;
};

/** By which event something was observed: what a rule needs to make a line of evidence of it. Kept within a fact's value. */
export type Observed = Pick<Evidence, 'eventId' | 'eventType' | 'time' | 'url'> & {
  /** How far the feed proves what it says. */
  trust: Confidence;
  /** Which act it is, where other events may tell it too; see `LoggedEvent.fact`. */
  fact?: string | undefined;
};

/** The key of a thing: ids of two providers, or of two instances of one, never meet. `instance`: its host, such as `github.com`. */
export function thingKey(provider: string, instance: string, id: string): string {
  return `${provider}:${instance}:${id}`;
}

/**
 * What the audit log calls an act by what it did, so that a finding which rests on that, and not on the record, says of which act it
 * is (`Conclusion.acts`). `repository`: its id, or as its key names it.
 */
export const gatePassed = (repository: string, run: string): string => `fact:gate-passed:${repository}#${run}`;
/** `by`: the commit that was pushed or, where no record says it, `<branch>/<account>/<minute>`. */
export const protectionOverridden = (repository: string, by: string): string =>
  `fact:protection-overridden:${repository}#${by}`;

/** A fact whose value is of no interest here. */
// biome-ignore lint/suspicious/noExplicitAny: a value stands in both directions, so only `any` accepts every fact.
export type AnyFact = Fact<any>;
