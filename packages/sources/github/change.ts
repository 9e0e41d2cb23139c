import type { EventType } from '@tripline/contracts/event';
import { z } from 'zod';
import { identifier, loginText, longText, text, utc } from '../untrusted.ts';
import {
  app,
  bodyOf,
  changes,
  editedTexts,
  flag,
  headRepository,
  instant,
  maybe,
  number,
  repositoryName,
  revisionOf,
  someone,
  splitRef,
  string,
} from './body.ts';
import { type Draft, defineEvent } from './family.ts';

const pullRequest = z.object({
  number,
  title: maybe,
  body: maybe,
  state: maybe,
  draft: flag,
  html_url: maybe,
  user: someone,
  author_association: maybe,
  created_at: instant,
  updated_at: instant,
  closed_at: instant,
  merged_at: instant,
  merged: flag,
  merged_by: someone,
  merge_commit_sha: maybe,
  commits: z.int().nonnegative().nullish(),
  performed_via_github_app: app,
  head: z.object({ ref: maybe, sha: maybe, repo: headRepository }),
  base: z.object({ ref: maybe, sha: maybe, repo: headRepository }).nullish(),
});
type PullRequest = z.infer<typeof pullRequest>;

/** The attributes of a change, the same for every event about it. */
function attributesOf(change: PullRequest): Draft {
  const merged = change.merged === true || (change.merged_at !== null && change.merged_at !== undefined);
  const head = repositoryName(change.head.repo?.full_name);
  return {
    'vcs.change.id': identifier(change.number),
    'vcs.change.title': text(change.title),
    'vcs.change.state': merged ? 'merged' : change.state === 'closed' ? 'closed' : change.draft ? 'wip' : 'open',
    'tripline.change.author': loginText(change.user?.login),
    'tripline.change.author_id': identifier(change.user?.id),
    'tripline.change.merged_by': loginText(change.merged_by?.login),
    'tripline.change.merged_by_id': identifier(change.merged_by?.id),
    // Before the merge this is GitHub's test merge commit, which is never built.
    'tripline.change.merge_revision': merged ? revisionOf(change.merge_commit_sha) : undefined,
    'tripline.change.commit_count': change.commits ?? undefined,
    'vcs.ref.head.name': text(change.head.ref),
    'vcs.ref.head.revision': revisionOf(change.head.sha),
    'vcs.ref.base.name': text(change.base?.ref),
    'vcs.ref.base.revision': revisionOf(change.base?.sha),
    'tripline.head.repository': head,
    'tripline.head.repository_id': identifier(change.head.repo?.id),
    // A head without a repository is a fork that was deleted.
    'tripline.head.fork': head === undefined || head !== repositoryName(change.base?.repo?.full_name),
  };
}

const changeActions: Record<string, EventType> = {
  opened: 'dev.cdevents.change.created',
  closed: 'dev.cdevents.change.abandoned',
  synchronize: 'dev.cdevents.change.updated',
  edited: 'dev.cdevents.change.updated',
  reopened: 'dev.cdevents.change.updated',
  ready_for_review: 'dev.cdevents.change.updated',
  converted_to_draft: 'dev.cdevents.change.updated',
  labeled: 'dev.cdevents.change.updated',
  unlabeled: 'dev.cdevents.change.updated',
  review_requested: 'dev.cdevents.change.updated',
  auto_merge_enabled: 'dev.cdevents.change.updated',
  auto_merge_disabled: 'dev.cdevents.change.updated',
  enqueued: 'dev.cdevents.change.updated',
  dequeued: 'dev.cdevents.change.updated',
};

export const pullRequestEvent = defineEvent({
  marks: ['action', 'number', 'pull_request'],
  carries: ['before', 'after', 'label', 'milestone'],
  schema: bodyOf({ action: string, before: maybe, pull_request: pullRequest, changes }),
  normalise({ action, before, pull_request: change, changes }) {
    const type = Object.hasOwn(changeActions, action) ? changeActions[action] : undefined;
    if (!type) return undefined;
    const data = attributesOf(change);
    const writes = action === 'opened' || action === 'edited';
    return {
      type: data['vcs.change.state'] === 'merged' && action === 'closed' ? 'dev.cdevents.change.merged' : type,
      time:
        action === 'opened'
          ? change.created_at
          : action === 'closed'
            ? (change.merged_at ?? change.closed_at)
            : change.updated_at,
      data: {
        ...data,
        'tripline.change.action': action,
        'tripline.user.association': text(change.author_association),
        'tripline.user.app': text(change.performed_via_github_app?.slug),
        'tripline.ref.before': revisionOf(before),
        'tripline.text.body': writes ? longText(change.body) : undefined,
        'tripline.text.edited': editedTexts(action, changes),
      },
    };
  },
});

const reviewStates = new Set(['approved', 'changes_requested', 'commented', 'dismissed', 'pending'] as const);
type ReviewState = typeof reviewStates extends Set<infer State> ? State : never;
function reviewState(state: string): ReviewState | undefined {
  const lower = state.toLowerCase() as ReviewState;
  return reviewStates.has(lower) ? lower : undefined;
}

export const review = defineEvent({
  marks: ['action', 'review', 'pull_request'],
  schema: bodyOf({
    action: string,
    review: z.object({
      id: number,
      state: string,
      commit_id: maybe,
      user: someone,
      author_association: maybe,
      submitted_at: instant,
      body: maybe,
      html_url: maybe,
    }),
    pull_request: pullRequest,
  }),
  normalise({ action, review, pull_request: change }) {
    if (action !== 'submitted' && action !== 'dismissed' && action !== 'edited') return undefined;
    return {
      type: 'dev.cdevents.change.reviewed',
      // A dismissal carries the time of the dismissed review.
      time: action === 'submitted' ? review.submitted_at : change.updated_at,
      data: {
        ...attributesOf(change),
        'tripline.review.id': identifier(review.id),
        'tripline.review.state': action === 'dismissed' ? 'dismissed' : reviewState(review.state),
        // A dismissal counts whichever commit was reviewed; an approval without a commit does not count.
        'tripline.review.revision': revisionOf(review.commit_id ?? (action === 'dismissed' ? change.head.sha : null)),
        'tripline.review.author': loginText(review.user?.login),
        'tripline.review.author_id': identifier(review.user?.id),
        'tripline.review.author_type': text(review.user?.type),
        'tripline.review.submitted_at': utc(review.submitted_at),
        'tripline.user.association': text(review.author_association),
        'tripline.text.body': action === 'dismissed' ? undefined : longText(review.body),
      },
    };
  },
});

/** `gh-readonly-queue/<base>/pr-<number>-<sha>`: a branch that only GitHub may write. */
const queueBranch = /^gh-readonly-queue\/.+\/pr-(\d+)-[0-9a-f]{40}$/;

export const mergeGroup = defineEvent({
  marks: ['action', 'merge_group'],
  carries: ['reason'],
  schema: bodyOf({
    action: string,
    reason: maybe,
    merge_group: z.object({ head_sha: maybe, head_ref: maybe, base_sha: maybe, base_ref: maybe }),
  }),
  normalise({ action, reason, merge_group: group }) {
    if (action !== 'checks_requested' && action !== 'destroyed') return undefined;
    const head = splitRef(group.head_ref)?.name ?? group.head_ref;
    const change = queueBranch.exec(head ?? '')?.[1];
    return {
      type:
        action === 'destroyed'
          ? 'dev.cdeventsx.tripline-mergegroup.destroyed'
          : 'dev.cdeventsx.tripline-mergegroup.requested',
      data: {
        'vcs.ref.head.name': text(head),
        'vcs.ref.head.revision': revisionOf(group.head_sha),
        'vcs.ref.head.type': 'branch',
        'vcs.ref.base.name': text(splitRef(group.base_ref)?.name ?? group.base_ref),
        'vcs.ref.base.revision': revisionOf(group.base_sha),
        'tripline.merge_group.reason': text(reason),
        'tripline.change.ids': change === undefined ? undefined : [change],
      },
    };
  },
});
