import type { Attributes } from '@tripline/contracts/attributes';
import { isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { z } from 'zod';
import { sameLogin } from './story.ts';

/**
 * Whether somebody else reviewed what a change brought in. A value of `Change` is what is known of one pull request;
 * the verdict is a function of it alone, so that the order in which its facts arrived does not matter.
 */
const reviewSchema = z.object({
  id: z.string(),
  author: z.string(),
  /** `User` or `Bot`; empty when the provider did not say. */
  authorType: z.string(),
  association: z.string(),
  state: z.enum(['approved', 'changes_requested', 'dismissed']),
  revision: z.string(),
  /** When it was submitted, or taken back. */
  timeMs: z.number(),
});
export const changeSchema = z.object({
  author: z.string().optional(),
  /** Who brought each head, newest last: a reviewer may not approve their own push. */
  heads: z.array(z.object({ revision: z.string(), pusher: z.string() })),
  reviews: z.array(reviewSchema),
  merged: z
    .object({ head: z.string(), revision: z.string().optional(), timeMs: z.number(), by: z.string().optional() })
    .optional(),
});
export type Change = z.infer<typeof changeSchema>;
type Review = z.infer<typeof reviewSchema>;

export const unknownChange: Change = { heads: [], reviews: [] };
/** At most so many of each; the oldest goes. A change with more reviews than that has had its eyes. */
const caps = { heads: 20, reviews: 50 } as const;

/** Whose approval counts: people whom the organisation trusts with its code. */
const trusted = new Set(['OWNER', 'MEMBER', 'COLLABORATOR']);
/** The provider stamps a merge and the approval before it by clocks of its own. */
const sameMomentMs = 5_000;

/** What is known of a change once `event` has been heard of. */
export function learnChange(change: Change, event: LoggedEvent): Change {
  const data: Attributes = event.data;
  const author = data['tripline.change.author'] ?? change.author;
  const next: Change = author === undefined ? change : { ...change, author };
  if (isEvent(event, 'dev.cdevents.change.reviewed')) {
    const state = event.data['tripline.review.state'];
    if (state === 'commented' || state === 'pending') return next;
    const id = event.data['tripline.review.id'];
    const known = change.reviews.find((review) => review.id === id);
    // A dismissal is the last word on a review, however late the review itself is heard of.
    if (known?.state === 'dismissed') return next;
    const submitted = data['tripline.review.submitted_at'];
    const timeMs = Date.parse(state === 'dismissed' ? event.time : (submitted ?? event.time));
    const review: Review = {
      id,
      author: data['tripline.review.author'] ?? '',
      authorType: data['tripline.review.author_type'] ?? '',
      association: data['tripline.user.association'] ?? '',
      state,
      revision: event.data['tripline.review.revision'],
      timeMs,
    };
    const reviews = [...change.reviews.filter((other) => other.id !== id), review];
    return { ...next, reviews: reviews.sort(byTime).slice(-caps.reviews) };
  }
  const head = data['vcs.ref.head.revision']!;
  if (isEvent(event, 'dev.cdevents.change.merged')) {
    const revision = data['tripline.change.merge_revision'];
    const by = data['tripline.change.merged_by'];
    return {
      ...next,
      merged: {
        head,
        timeMs: Date.parse(event.time),
        ...(revision === undefined ? {} : { revision }),
        ...(by === undefined ? {} : { by }),
      },
    };
  }
  const brings = event.type === 'dev.cdevents.change.created' || data['tripline.change.action'] === 'synchronize';
  const pusher = data['user.name'];
  if (!brings || pusher === undefined || change.heads.some((known) => known.revision === head)) return next;
  return { ...next, heads: [...change.heads, { revision: head, pusher }].slice(-caps.heads) };
}

/** The approval by which `head` counts as reviewed, or undefined. */
export function approvalOf(change: Change, head: string): Review | undefined {
  if (change.reviews.length === 0) return undefined;
  const untilMs = (change.merged?.timeMs ?? Number.POSITIVE_INFINITY) + sameMomentMs;
  const pusher = change.heads.find((known) => known.revision === head)?.pusher;
  const last = new Map<string, Review>();
  for (const review of change.reviews) {
    if (review.timeMs > untilMs) {
      // Dismissed after the merge: at the merge it still stood.
      if (review.state === 'dismissed') last.set(review.author.toLowerCase(), { ...review, state: 'approved' });
      continue;
    }
    last.set(review.author.toLowerCase(), review);
  }
  return [...last.values()].find(
    (review) =>
      review.state === 'approved' &&
      review.revision === head &&
      review.author !== '' &&
      review.authorType !== 'Bot' &&
      !review.author.endsWith('[bot]') &&
      trusted.has(review.association) &&
      !sameLogin(review.author, change.author) &&
      !sameLogin(review.author, pusher),
  );
}

/** Whether the provider's answer holds a merged change with a live approval of its head by somebody else. */
export function answerApproves(changes: NonNullable<Attributes['tripline.lookup.changes']>): boolean {
  return changes.some((answered) => {
    if (answered.state !== 'merged') return false;
    const reviews = answered.reviews.flatMap((review): Review[] => {
      const state = review.state.toLowerCase();
      if (state !== 'approved' && state !== 'changes_requested' && state !== 'dismissed') return [];
      const { id, author, authorType, association, revision } = review;
      return [{ id, author, authorType, association, state, revision, timeMs: Date.parse(review.submittedAt) }];
    });
    const change: Change = { author: answered.author, heads: [], reviews: reviews.sort(byTime) };
    return approvalOf(change, answered.headRevision) !== undefined;
  });
}

function byTime(a: Review, b: Review): number {
  return a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1);
}
