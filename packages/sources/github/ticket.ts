import type { EventType } from '@tripline/contracts/event';
import { z } from 'zod';
import { identifier, longText, text } from '../untrusted.ts';
import { bodyOf, changes, editedTexts, instant, maybe, number, revisionOf, someone, string } from './body.ts';
import { type Draft, defineEvent } from './family.ts';

/** Issues, discussions and comments: read for the text of outsiders, which workflows may interpolate. */
const ticketBody = z.object({
  number,
  title: maybe,
  body: maybe,
  html_url: maybe,
  user: someone,
  author_association: maybe,
  created_at: instant,
  updated_at: instant,
  closed_at: instant,
  pull_request: z.object({ url: maybe }).nullish(),
});

const ticketTypes: Record<string, EventType> = {
  opened: 'dev.cdevents.ticket.created',
  created: 'dev.cdevents.ticket.created',
  edited: 'dev.cdevents.ticket.updated',
  reopened: 'dev.cdevents.ticket.updated',
  closed: 'dev.cdevents.ticket.closed',
  deleted: 'dev.cdevents.ticket.closed',
};

function toldOfTicket(action: string, ticket: z.infer<typeof ticketBody>, edits: z.infer<typeof changes>) {
  const type = Object.hasOwn(ticketTypes, action) ? ticketTypes[action] : undefined;
  if (!type) return undefined;
  return {
    type,
    time: type === 'dev.cdevents.ticket.created' ? ticket.created_at : ticket.updated_at,
    data: {
      'tripline.ticket.id': identifier(ticket.number),
      'tripline.ticket.title': text(ticket.title),
      'tripline.user.association': text(ticket.author_association),
      'tripline.text.body': type === 'dev.cdevents.ticket.closed' ? undefined : longText(ticket.body),
      'tripline.text.author_id': identifier(ticket.user?.id),
      'tripline.text.edited': editedTexts(action, edits),
    },
  };
}

export const issues = defineEvent({
  marks: ['action', 'issue'],
  carries: ['assignee', 'label', 'milestone', 'type'],
  schema: bodyOf({ action: string, issue: ticketBody, changes }),
  normalise: ({ action, issue, changes }) => toldOfTicket(action, issue, changes),
});

export const discussion = defineEvent({
  marks: ['action', 'discussion'],
  carries: ['answer', 'old_answer', 'label'],
  schema: bodyOf({ action: string, discussion: ticketBody, changes }),
  normalise: ({ action, discussion, changes }) => toldOfTicket(action, discussion, changes),
});

const commentBody = z.object({
  id: number,
  body: maybe,
  user: someone,
  author_association: maybe,
  created_at: instant,
  updated_at: instant,
  commit_id: maybe,
});

/** New and edited comments; deleted ones are ignored. */
function toldOfComment(action: string, comment: z.infer<typeof commentBody>, on: Draft) {
  if (action !== 'created' && action !== 'edited') return undefined;
  return {
    type: 'dev.cdeventsx.tripline-comment.created' as const,
    time: action === 'created' ? comment.created_at : comment.updated_at,
    data: {
      ...on,
      'tripline.comment.id': identifier(comment.id),
      'tripline.user.association': text(comment.author_association),
      'tripline.text.body': longText(comment.body),
      'tripline.text.author_id': identifier(comment.user?.id),
    },
  };
}

export const issueComment = defineEvent({
  marks: ['action', 'issue', 'comment'],
  schema: bodyOf({ action: string, issue: ticketBody, comment: commentBody }),
  normalise: ({ action, issue, comment }) =>
    toldOfComment(action, comment, {
      'tripline.ticket.id': identifier(issue.number),
      'tripline.ticket.title': text(issue.title),
      'vcs.change.id': issue.pull_request ? identifier(issue.number) : undefined,
    }),
});

export const discussionComment = defineEvent({
  marks: ['action', 'discussion', 'comment'],
  schema: bodyOf({ action: string, discussion: ticketBody, comment: commentBody }),
  normalise: ({ action, discussion, comment }) =>
    toldOfComment(action, comment, {
      'tripline.ticket.id': identifier(discussion.number),
      'tripline.ticket.title': text(discussion.title),
    }),
});

export const reviewComment = defineEvent({
  marks: ['action', 'pull_request', 'comment'],
  schema: bodyOf({ action: string, pull_request: z.object({ number, title: maybe }), comment: commentBody }),
  normalise: ({ action, pull_request: change, comment }) =>
    toldOfComment(action, comment, {
      'vcs.change.id': identifier(change.number),
      'vcs.change.title': text(change.title),
      'vcs.ref.head.revision': revisionOf(comment.commit_id),
    }),
});

export const commitComment = defineEvent({
  marks: ['action', 'comment'],
  schema: bodyOf({ action: string, comment: commentBody }),
  normalise: ({ action, comment }) =>
    toldOfComment(action, comment, { 'vcs.ref.head.revision': revisionOf(comment.commit_id) }),
});
