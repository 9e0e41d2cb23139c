import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { matches } from '@tripline/facts/ref-patterns';
import { noRevision, refMoves } from '@tripline/facts/ref-steps';
import { refKeyIn, repositoryKeyOf } from '@tripline/facts/things';
import { z } from 'zod';
import { fromFacts } from './builders/from-facts.ts';
import type { Sight } from './builders/own-fact.ts';
import { targetOf } from './builders/seen.ts';

const dayMs = 86_400_000;
/** Put back within this, a tag was mended. */
const mendMs = 7 * dayMs;
/** Tags that are moved within this are moved together. */
const togetherMs = 3_600_000;
/** Names that by custom move with each release: a major or minor version, a channel. */
const floatingForm = /^v?\d+(?:\.\d+)?$|^(?:latest|stable|edge|nightly|next)$/;
const stepSchema = z.object({ tag: z.string(), before: z.string(), after: z.string(), commit: z.string() });
type Step = Sight<z.infer<typeof stepSchema>>;

export const rule = fromFacts({
  id: 'release-tag-moved',
  title: 'Release tag moved to another commit',
  description:
    'A tag was forced to another commit, or deleted and made again on another one: whoever uses it by name runs other code from then on. ' +
    'Put back within a week to where it stood is the mending. Several tags of a repository within an hour are critical; one that floats by its form (`v1`, `v1.2`, `latest`) is medium alone. ' +
    'Of a tag that was deleted more than 90 days ago, where it stood is not known.',
  severity: 'high',
  principles: [5],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-9', 'CICD-SEC-3'],
  falseAlarms: [
    'Tags that float by design: their patterns under `floating`, as `v[0-9]`, or `acme/action@v*` for one repository. They are not watched at all, so name no more than float.',
    'A release that is made again minutes later: an exception for the account that releases.',
  ],
  on: ['dev.cdeventsx.tripline-ref.pushed'],
  where: { attribute: 'vcs.ref.head.type', oneOf: ['tag'] },
  settings: { floating: z.array(z.string().min(1).max(300)).max(1000).default([]) },
  keepMs: 90 * dayMs,
  key: (event) => refKeyIn(repositoryKeyOf(event)!, 'tag', event.data['vcs.ref.head.name']!),
  // A push that moves a tag says so by itself: it is held beside the repository's other tags.
  alsoUnder: (event) =>
    [stepOf(event).before, stepOf(event).after].includes(noRevision) ? undefined : repositoryKeyOf(event),
  observe: (event) => ({ kind: 'pushes of tags', data: stepOf(event) }),
  data: stepSchema,
  tell: ({ by, data: { tag, before, after } }) => `${by.name} put ${tag} from ${short(before)} to ${short(after)}`,
  conclude(steps, { key, settings: { floating }, beside }) {
    const moves = refMoves(
      steps.map((sight) => ({ ...sight.data, time: sight.time, sight })),
      mendMs,
    );
    if (moves.length === 0 || floats(steps[0]!, floating)) return [];
    const others = beside(key.slice(0, key.indexOf(':tag:'))).filter(
      (one) => one.data.tag !== steps[0]!.data.tag && !floats(one, floating),
    );
    return moves.map(({ step: { sight, tag, commit }, from, deletedBy }) => {
      const repository = sight.repository!;
      const together = others.filter((one) => Math.abs(parseTime(one.time) - parseTime(sight.time)) <= togetherMs);
      const isRelease = [sight, ...together].some(({ data }) => !floatingForm.test(data.tag));
      const intent = { action: 'restore-ref' as const, refType: 'tag' as const, ref: tag, formerRevision: from };
      return {
        subject: `${repository.name}@${tag}`,
        occasion: sight.eventId,
        because: deletedBy === undefined ? [sight] : [deletedBy.sight, sight],
        severity: !isRelease ? 'medium' : together.length > 0 ? 'critical' : 'high',
        title: `${sight.by.name} moved tag ${tag} of ${repository.name} to another commit`,
        summary:
          `Tag ${tag} of ${repository.name} stood on ${short(from)} and now stands on ${short(commit)}. Whoever uses it by name runs other code from now on.` +
          (together.length > 0 ? ' Other tags of the repository were moved within the hour.' : ''),
        entities: [{ kind: 'commit', id: `${repository.name}@${commit}` }],
        response: [{ ...intent, ...targetOf(repository, key) }],
        remedy: [
          `Ask ${sight.by.name} whether they meant to; if not, put ${tag} back to ${short(from)} and end their sessions.`,
          'Forbid that tags are updated or deleted, by a ruleset for tags.',
        ],
      };
    });
  },
});

function stepOf({ data }: LoggedEvent): z.infer<typeof stepSchema> {
  const after = data['vcs.ref.head.revision']!;
  const { 'tripline.ref.before': before = noRevision, 'tripline.push.head_revision': commit = after } = data;
  return { tag: clip(data['vcs.ref.head.name']!, 200), before, after, commit };
}
const short = (revision: string) => (revision === noRevision ? 'nothing' : revision.slice(0, 12));

/** A pattern names tags, or with `owner/name@` before it tags of one repository. */
function floats({ data: { tag }, repository }: Step, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const [of, own] = pattern.includes('@') ? pattern.split('@', 2) : [undefined, pattern];
    return (of === undefined || of.toLowerCase() === repository?.name.toLowerCase()) && matches(own!, tag);
  });
}
