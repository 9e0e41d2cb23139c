import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import type { z } from 'zod';
import type { IgnoredReason } from '../source.ts';
import type { Instant } from '../untrusted.ts';
import type { Around } from './body.ts';

/**
 * Attributes as a normaliser fills them in: fields that GitHub did not send are undefined, and are removed afterwards.
 */
export type Draft = { [K in keyof Attributes]?: Attributes[K] | undefined };

export type EventDraft = {
  type: EventType;
  /** GitHub's time of the event; the time of receipt when it sends none. */
  time?: Instant;
  data: Draft;
};

/** One event of GitHub that Tripline reads. */
export type GithubEvent = {
  /** Top-level keys that the body must have. */
  marks: readonly string[];
  /** Top-level keys that identify other events, and that this one may contain all the same. */
  carries: readonly string[];
  /** Top-level keys that it never has, where nothing else distinguishes it from another event. */
  lacks: readonly string[];
  schema: z.ZodType<Around>;
  /** Undefined: the action is not relevant, and the delivery is ignored. */
  normalise: (body: never, received: { atMs: number }) => EventDraft | IgnoredReason | undefined;
};

/** Ties a normaliser to its schema's type. */
export function defineEvent<Body extends Around>(event: {
  marks: readonly string[];
  carries?: readonly string[];
  lacks?: readonly string[];
  schema: z.ZodType<Body>;
  normalise: (body: Body, received: { atMs: number }) => EventDraft | IgnoredReason | undefined;
}): GithubEvent {
  return { carries: [], lacks: [], ...event };
}
