import type { Entity } from '@tripline/contracts/finding';
import type { LookUp } from '@tripline/contracts/job';
import type { ConcludeContext } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { commits, type Push } from '@tripline/facts/commits';
import { nameAt, repositories } from '@tripline/facts/repositories';
import {
  type Acceptance,
  acceptanceOf,
  type Place,
  placeOf,
  type ReviewHouse,
  reviewReader,
} from '@tripline/facts/review-reader';
import { commitKeyIn, entityOf, personOf, refKeyIn } from '@tripline/facts/things';
import type { Basis } from './builders/basis.ts';
import { overridesOf } from './overrides.ts';

/** A push by which something landed on a branch that nobody else is known to have reviewed. */
export type Landing = {
  push: Push;
  place: Place;
  repository: string;
  repositoryKey: string;
  verdict: Acceptance;
  /** Who pushed, in words. */
  who: string;
  /** As `build-from-unreviewed-commit` has it. */
  subject: string;
  heldUntilMs: number;
  entities: Entity[];
  /** As which the audit log may tell of it. */
  acts: string[];
  /** The push, called `what`, and what speaks against it. */
  because: (what: string) => Basis[];
};

/**
 * Of the pushes of a commit, under its key, those that brought it in where `counts` says so, and that are not known to be reviewed.
 * `asksOf`: whether the provider is asked about such a verdict.
 */
export function landingsOf(
  pushes: readonly Push[],
  key: string,
  context: ConcludeContext<ReviewHouse>,
  counts: (push: Push, place: Place) => boolean,
  asksOf: (verdict: Acceptance) => boolean = () => true,
): Landing[] {
  const at = key.lastIndexOf('@');
  const [repositoryKey, revision] = [key.slice(0, at), key.slice(at + 1)];
  return pushes.flatMap((push) => {
    if (push.tip !== revision || push.type !== 'branch') return [];
    const { ref, by, time, heardMs = 0 } = push;
    const ms = parseTime(time);
    const repository = nameAt(context.read(repositories, repositoryKey), ms) ?? repositoryKey;
    const place = placeOf(repositoryKey, repository, undefined, context);
    if (!counts(push, place)) return [];
    const reader = reviewReader(place, ref, context, context.settings, ms);
    const questions: LookUp[] = [];
    const lookUp = (one: LookUp) => questions.push(one);
    const verdict = acceptanceOf(revision, 'landed', place, reader, { lookUp }, heardMs);
    if (asksOf(verdict)) for (const question of questions) context.lookUp(question);
    if (verdict.is === 'reviewed') context.explain(verdict.why);
    // What strangers do has nothing found, and takes nothing back.
    if (verdict.is === 'reviewed' || (verdict.is === 'unknown' && !verdict.isCrowded)) return [];
    const people = by === undefined ? [] : [personOf(by, key)];
    const subject = `${repository}@${revision}`;
    const heldMs = verdict.mayBeExplained ? heardMs + context.settings.holdMs + verdict.moreMs : 0;
    return {
      ...{ push, place, repository, repositoryKey, verdict, subject, who: by?.login ?? 'somebody unnamed' },
      heldUntilMs: verdict.is === 'unknown' ? Number.POSITIVE_INFINITY : heldMs,
      acts: overridesOf(repositoryKey, [revision, verdict.revision], context),
      entities: [
        entityOf('commit', subject, commitKeyIn(repositoryKey, revision)),
        entityOf('repository', repository, repositoryKey),
        entityOf('ref', `${repository}@refs/heads/${ref}`, refKeyIn(repositoryKey, 'branch', ref)),
      ],
      because: (what) => [
        { fact: commits, key, seen: push, what, entities: people },
        ...verdict.seen.map(({ observed, ...seen }) => ({ ...seen, seen: observed })),
      ],
    };
  });
}
