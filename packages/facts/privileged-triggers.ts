import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { isOfRun, repositoryKeyOf, runKeyOf, runTypes } from './things.ts';

/**
 * Triggers for which the provider runs the workflow of the base, with its secrets and a token that may write, though what
 * set it off may be a stranger's: whoever opens a change, writes a ticket, a comment or a page of the wiki.
 */
export const privilegedTriggers: ReadonlySet<string> = new Set([
  ...['pull_request_target', 'workflow_run', 'issue_comment', 'issues', 'discussion', 'discussion_comment'],
  ...['pull_request_review', 'pull_request_review_comment', 'gollum', 'fork', 'watch'],
]);

/** Those by which a workflow gets to see text of a kind: of a change, a ticket, a comment, a push, a page of the wiki. */
export const triggersThatSee = {
  change: new Set([
    ...['pull_request_target', 'workflow_run', 'issue_comment', 'pull_request_review', 'pull_request_review_comment'],
  ]),
  ticket: new Set(['issues', 'issue_comment', 'discussion', 'discussion_comment']),
  comment: new Set(['issue_comment', 'discussion_comment', 'pull_request_review', 'pull_request_review_comment']),
  push: new Set(['workflow_run']),
  wiki: new Set(['gollum']),
} satisfies Record<string, ReadonlySet<string>>;

const workflowSchema = observedSchema.extend({
  trigger: z.string(),
  path: z.string(),
  /** Its head lay in a fork. */
  fork: z.boolean(),
  /** The key of the first such run in the fact `runs`. */
  run: z.string(),
  /** When the log first heard of any, ms of the log's time. */
  heardMs: z.number(),
});
export type PrivilegedWorkflow = z.infer<typeof workflowSchema>;
export const privilegedSchema = z.object({ workflows: z.array(workflowSchema) });
export type Privileged = z.infer<typeof privilegedSchema>;

const nameOf = ({ trigger, path, fork }: Pick<PrivilegedWorkflow, 'trigger' | 'path' | 'fork'>) =>
  `${trigger} ${fork} ${path}`;
/** Files of the base name them, so none of them is a stranger's choice. */
const workflows: Bound<PrivilegedWorkflow> = {
  kind: 'workflows with privileged triggers',
  authorOf: () => '',
  mostPerAuthor: 300,
  most: 300,
  nameOf,
  first: true,
};

export const privileged: Fact<Privileged> = {
  id: 'privileged-triggers',
  description:
    'Which workflows of a repository run with its own rights for what strangers do (pull_request_target, issue_comment, issues …): the first run of each by trigger and file, of forks apart.',
  reads: runTypes,
  value: privilegedSchema,
  keys(event) {
    const { 'tripline.pipeline.trigger': trigger }: Attributes = event.data;
    if (trigger === undefined || !privilegedTriggers.has(trigger) || !isOfRun(event)) return none;
    const key = repositoryKeyOf(event);
    return key === undefined ? none : [key];
  },
  learn,
  // What a repository has run for years must not become new because nothing else was seen there for a while.
  keepMs: 36_500 * 86_400_000,
};

const none: readonly string[] = [];

function learn(known: Privileged | undefined, event: LoggedEvent, at: LearnContext): Privileged | undefined {
  const data: Attributes = event.data;
  const told: PrivilegedWorkflow = {
    ...observedBy(event),
    trigger: data['tripline.pipeline.trigger']!,
    path: clip(data['tripline.pipeline.path'] ?? '', 300),
    fork: data['tripline.head.fork'] === true,
    run: runKeyOf(event) ?? '',
    heardMs: at.nowMs,
  };
  const before = known?.workflows ?? [];
  const former = before.find((one) => nameOf(one) === nameOf(told));
  if (former === undefined) {
    const kept = keepBounded(before, told, workflows, at);
    return kept === before ? known : { workflows: [...kept] };
  }
  if (inOwnOrder(former, told) <= 0 && former.heardMs <= told.heardMs) return known;
  const heardMs = Math.min(former.heardMs, told.heardMs);
  const first = inOwnOrder(former, told) <= 0 ? former : inPlaceOf(former, told, at.pinned);
  const others = before.filter((one) => one !== former);
  return { workflows: [...others, { ...first, heardMs }].sort(inOwnOrder) };
}
