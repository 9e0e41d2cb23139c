import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import type { z } from 'zod';
import type { IgnoredReason } from '../source.ts';
import type { Instant } from '../untrusted.ts';
import type { Around } from './body.ts';

/** Attributes as a normaliser fills them in: what GitHub did not send is undefined, and is left out afterwards. */
export type Draft = { [K in keyof Attributes]?: Attributes[K] | undefined };

export type EventDraft = {
  type: EventType;
  /** GitHub's own time of what happened; the time of receipt when it sends none. */
  time?: Instant;
  data: Draft;
};

/** One event of GitHub that Tripline reads. */
export type GithubEvent = {
  /** Top-level keys that the body must have. */
  marks: readonly string[];
  /** Top-level keys that mark other events, and that this one may carry all the same. */
  carries: readonly string[];
  /** Top-level keys that it never has, where nothing else tells it from another event. */
  lacks: readonly string[];
  schema: z.ZodType<Around>;
  /** Undefined: the action is one that says nothing. */
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
