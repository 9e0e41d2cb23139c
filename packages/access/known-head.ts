import { type AnyRule, defineRule } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { type Commit, commits, type Push } from '@tripline/facts/commits';
import { nameAt, repositories } from '@tripline/facts/repositories';
import {
  acceptanceOf,
  mattersToReviews,
  placeOf,
  reviewFacts,
  reviewHouse,
  reviewReader,
} from '@tripline/facts/review-reader';
import { z } from 'zod';
import type { Known } from './known.ts';

/** A commit that was the head of the branch in which policies lie. */
export type KnownHead = {
  /** The repository's key. */
  repository: string;
  revision: string;
  /** What stood there before its push; null where nothing did. */
  before: string | null;
  reviewed: Known['reviewed'];
};

/** The id of what reads heads for policies. */
export const readsHeads = 'access-known-heads';

const settings = z.strictObject({
  ...reviewHouse,
  /** Full name of the repository, and the branch. */
  repository: z.string(),
  branch: z.string(),
});

/**
 * Tells of each commit that was pushed to the branch in which policies lie whether it is reviewed, whenever that changes: by the facts
 * and the judgement of the rules, for what is landed. As with `readingRuns`, what it was told of an evaluation that is not the last
 * one does not hold.
 */
export function readingHeads(tell: (workspace: string, head: KnownHead) => void): AnyRule {
  return defineRule<unknown, z.output<typeof settings>>({
    ...{ id: readsHeads, title: 'What is known of policies’ commits', severity: 'low', confidence: 'high' },
    ...{ description: 'Reads whether policies were reviewed.', principles: [2], attack: [], owasp: [] },
    ...{ feeds: { needs: ['github'] }, falseAlarms: [], reads: [], learns: false },
    settings: settings as z.ZodType<z.output<typeof settings>>,
    concludes: {
      uses: reviewFacts,
      about: [commits],
      subjects: ({ fact, key, value }, { branch }) =>
        fact === commits.id && landingOf(value as Commit, key, branch) !== undefined ? [key] : [],
      matters: mattersToReviews,
      conclude(key, context) {
        const { repository, branch, holdMs } = context.settings;
        const at = key.lastIndexOf('@');
        const [repositoryKey, revision] = [key.slice(0, at), key.slice(at + 1)];
        const name = nameAt(context.watch(repositories, repositoryKey), context.nowMs);
        if (name?.toLowerCase() !== repository.toLowerCase()) return [];
        const commit = context.watch(commits, key);
        const push = commit && landingOf(commit, key, branch);
        if (push === undefined) return [];
        const place = placeOf(repositoryKey, name, undefined, context);
        const reader = reviewReader(place, branch, context, context.settings, parseTime(push.time));
        const heardMs = push.heardMs ?? 0;
        const verdict = acceptanceOf(revision, 'landed', place, reader, context, heardMs);
        const holdUntilMs = heardMs + holdMs + verdict.moreMs;
        const mayChange = verdict.is === 'unreviewed' && verdict.mayBeExplained && context.nowMs < holdUntilMs;
        if (mayChange) context.recheckAt(holdUntilMs);
        const why = mayChange ? `${verdict.why}; what would explain it may be on its way` : verdict.why;
        tell(context.workspace, {
          ...{ repository: repositoryKey, revision, reviewed: { is: mayChange ? 'unknown' : verdict.is, why } },
          before: push.before === undefined || /^0+$/.test(push.before) ? null : push.before,
        });
        return [];
      },
    },
  });
}

/** The first push by which the commit, under its key, became the head of the branch. */
const landingOf = ({ pushes }: Commit, key: string, branch: string): Push | undefined =>
  pushes.find(({ type, ref, tip }) => type === 'branch' && ref === branch && key.endsWith(`@${tip}`));
