import { msBetween } from '@tripline/contracts/time';
import { followsBranch } from '@tripline/facts/branch-steps';
import { noRevision, refMoves } from '@tripline/facts/ref-steps';
import { reviewFacts } from '@tripline/facts/review-reader';
import { isNamedBy, isRelease } from '@tripline/facts/tag-names';
import { commitKeyIn, entityOf, refKeyIn, repositoryKeyOf } from '@tripline/facts/things';
import { z } from 'zod';
import { fromFacts } from './builders/from-facts.ts';
import type { Sight } from './builders/own-fact.ts';
import { targetOf } from './builders/seen.ts';
import { isStep, stepOf, stepSchema, type TagStep } from './tag-steps.ts';

const dayMs = 86_400_000;
/** A tag that is restored within this time was corrected, not moved. */
const mendMs = 7 * dayMs;
/** Tags that are moved within this are moved together. */
const togetherMs = 3_600_000;
const toRestore = { action: 'restore-ref' as const, refType: 'tag' as const };
type Step = Sight<TagStep>;

export const rule = fromFacts({
  id: 'release-tag-moved',
  title: 'Release tag moved to another commit',
  description:
    'A tag was forced to another commit, or deleted and made again on another one or as a branch of its name: whoever uses it by name runs other code from then on. ' +
    'Put back within a week to where it stood is the mending. Several tags of a repository within an hour are critical; those that float by their form (`v1`, `v1.2`, `latest`) are medium, unless two major versions come to stand on one commit; and found not at all where one moves on along the default branch, to a commit that somebody else landed there or that is known to be reviewed. ' +
    'Of a tag that was deleted more than 90 days ago, where it stood is not known. GitHub tells of no push of more than three tags at once: such a move is found when the tag is next pushed.',
  severity: 'high',
  principles: [5],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-9', 'CICD-SEC-3'],
  falseAlarms: [
    'Tags that float by design: their patterns under `floating`, as `v[0-9]`, or `acme/action@v*` for one repository. They are not watched at all, so name no more than float.',
    'A release that is made again minutes later: an exception for the account that releases.',
  ],
  limits: ['A floating tag that goes with the default branch: what is wrong with a landing is said of the landing.'],
  on: ['dev.cdeventsx.tripline-ref.pushed'],
  uses: reviewFacts,
  settings: { floating: z.array(z.string().min(1).max(300)).max(1000).default([]) },
  keepMs: 90 * dayMs,
  key: (event) =>
    isStep(event) ? refKeyIn(repositoryKeyOf(event)!, 'tag', event.data['vcs.ref.head.name']!) : undefined,
  // Beside the repository's other tags, to see which are moved together.
  alsoUnder: (event) => (isStep(event) ? repositoryKeyOf(event) : undefined),
  observe: (event) => ({ kind: 'pushes of tags', data: stepOf(event) }),
  data: stepSchema,
  tell: ({ by, data: { tag, before, after } }) => `${by.name} put ${tag} from ${short(before)} to ${short(after)}`,
  conclude(steps, { key, settings: { floating }, beside, read, watch }) {
    const moves = movesOf(steps);
    if (moves.length === 0 || floats(steps.at(-1)!, floating)) return [];
    const ofRepository = key.slice(0, key.indexOf(':tag:'));
    const besides = Map.groupBy(beside(ofRepository), ({ data }) => data.tag);
    besides.delete(steps[0]!.data.tag);
    const others = [...besides.values()].flatMap(movesOf).filter(({ step }) => !floats(step.sight, floating));
    return moves.flatMap(({ step: { sight, tag, commit }, from, deletedBy, unheard }) => {
      const repository = sight.repository!;
      const together = others.map(({ step }) => step).filter((one) => Math.abs(msBetween(sight, one)) <= togetherMs);
      const isOfRelease = [sight.data, ...together].some((moved) => isRelease(moved, sight.data));
      const isPlain =
        !isOfRelease && together.length === 0 && !unheard && deletedBy === undefined && !sight.data.isBranch;
      const at = { ...sight, name: repository.name };
      if (isPlain && followsBranch(ofRepository, at, { from, to: commit }, { read, watch })) return [];
      // An unreported move may have put it there, and this one be the mending.
      const ifUnheard = steps.some(({ data }) => data.after === from) ? {} : { ifOnDefaultBranch: true as const };
      const intent = { ...toRestore, ref: tag, formerRevision: from, revision: sight.data.after, ...ifUnheard };
      const home = targetOf(repository, key);
      // Whoever moved several moves the next one too, and this one again once it is put back.
      const lock = together.length > 0 ? [{ action: 'lock-tags' as const, ...home }] : [];
      return {
        ...{ subject: `${repository.name}@${tag}`, occasion: sight.eventId },
        because: deletedBy === undefined ? [sight] : [deletedBy.sight, sight],
        severity: !isOfRelease ? 'medium' : together.length > 0 ? 'critical' : 'high',
        title: unheard
          ? `Tag ${tag} of ${repository.name} was moved, unreported, until ${sight.by.name} put it back`
          : `${sight.by.name} moved tag ${tag} of ${repository.name} to another commit`,
        summary:
          `Tag ${tag} of ${repository.name} stood on ${short(unheard ?? from)} and now stands on ${short(commit)}. ` +
          `Whoever uses it by name ${unheard ? 'ran other code until then; who moved it there was not told' : 'runs other code from now on'}.` +
          (together.length > 0 ? ' Other tags of the repository were moved within the hour.' : ''),
        entities: [
          entityOf('commit', `${repository.name}@${unheard ?? commit}`, commitKeyIn(ofRepository, unheard ?? commit)),
          // One that is made as a branch by the tag's name is neither of both.
          ...(sight.data.isBranch ? [] : [entityOf('ref', `${repository.name}@refs/tags/${tag}`, key)]),
        ],
        response: unheard || sight.data.isBranch ? [] : [{ ...intent, ...home }, ...lock],
        remedy: [
          `Ask ${sight.by.name} whether they meant to; if not, put ${tag} back to ${short(from)} and end their sessions.`,
          'Forbid that tags are updated or deleted, by a ruleset for tags.',
        ],
      };
    });
  },
});

const movesOf = (steps: readonly Step[]) => refMoves(steps.map(toStep), mendMs);
const toStep = (sight: Step) => ({ ...sight.data, time: sight.time, sight });
const short = (revision: string) => (revision === noRevision ? 'nothing' : revision.slice(0, 12));
const floats = ({ data: { tag }, repository }: Step, patterns: readonly string[]) =>
  isNamedBy(patterns, tag, repository?.name);
