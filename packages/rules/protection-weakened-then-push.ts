import type { Severity } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { msBetween, parseTime } from '@tripline/contracts/time';
import { asProved, controls, isRelaxedFor, type Relaxation, relaxationsOf } from '@tripline/facts/controls';
import { isKnownReviewed, reviewFacts } from '@tripline/facts/review-reader';
import { commitKeyIn, entityOf, refKeyIn, repositoryKeyOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Sight } from './builders/own-fact.ts';
import { entitiesOf } from './builders/seen.ts';
import { temporal } from './builders/temporal.ts';
import { relaxationInWords } from './relaxation-words.ts';

const hourMs = 3_600_000;
/** What is put back within this was meant to be. */
const lentMs = 24 * hourMs;
const kind = z.enum(['branch', 'tag']);
const pushSchema = z.object({ type: kind, branch: z.string(), revision: z.string(), forced: z.boolean() });
const bound = { perAuthor: 200, most: 600 };
type Push = Sight<z.infer<typeof pushSchema>>;

export const rule = temporal({
  id: 'protection-weakened-then-push',
  title: 'Pushed while a protection was relaxed',
  description:
    'A branch protection or ruleset was made weaker, and within `withinMs` something that is not known to be reviewed came to what it covers, before it was put back. ' +
    'Put back within the same time after the push it is critical, since so a protection is got round and the trace covered; else high where who relaxed it pushed or it was put back within a day, and medium where somebody else did. What comes later is found by `protection-left-relaxed`. ' +
    'Weaker is: fewer approvals, somebody more who may go round it or push, force or deletion allowed, a pattern left out, not in force, deleted, another default branch where a ruleset covers whichever it is. Checks that must pass do not count, and an organisation’s rulesets are not held against pushes.',
  severity: 'critical',
  principles: [5],
  attack: ['T1685'],
  owasp: ['CICD-SEC-1'],
  falseAlarms: [
    'Administrators at maintenance, or an automation that lifts a protection for its own release: an exception for their account, or for the ref.',
    'A protection that is meant to be weaker from now on, and work that goes on meanwhile: medium, to be resolved as accepted.',
  ],
  on: ['dev.cdeventsx.tripline-ref.pushed'],
  settings: { withinMs: z.int().min(1000).max(hourMs).default(hourMs) },
  stretchMs: hourMs,
  // GitHub tells of a merge by a push, and by the change a moment later.
  settleMs: 30_000,
  key: repositoryKeyOf,
  observe({ data }) {
    const { 'vcs.ref.head.name': name, 'vcs.ref.head.type': type, 'vcs.ref.head.revision': revision } = data;
    // A thousand branches can be pushed at once, beside the one that matters.
    const kind = name === data['tripline.repository.default_branch'] ? 'pushes to the default branch' : 'pushes';
    const forced = data['tripline.ref.forced'] === true;
    return { kind, data: { type: type!, branch: clip(name!, 300), revision: revision!, forced } };
  },
  data: pushSchema,
  bounds: { pushes: bound, 'pushes to the default branch': bound },
  crowdedAt: bound.perAuthor / 2,
  tell: ({ by, data: { branch, revision } }) => `${by.name} pushed ${revision.slice(0, 12)} to ${branch}`,
  begins: [
    { fact: controls, startsMs: (value: never) => relaxationsOf(value).map(({ change }) => parseTime(change.time)) },
  ],
  uses: reviewFacts,
  conclude(pushes, { key, settings: { withinMs }, ...reads }) {
    const known = reads.read(controls, key);
    return (known === undefined ? [] : relaxationsOf(known)).flatMap((one) => {
      const relaxation = asProved(one, reads.doubtOf);
      const meanwhile = pushes.filter(({ time, data, repository }) => {
        const ref = { type: data.type, name: data.branch };
        const isMeanwhile = msBetween(relaxation.change, { time }) <= withinMs;
        if (!isMeanwhile || !isRelaxedFor(relaxation, ref, parseTime(time))) return false;
        return data.type === 'tag' || data.forced || !isKnownReviewed(key, repository!.name, data, reads);
      });
      const byRef = Map.groupBy(meanwhile, ({ data: { type, branch } }) => `${type}:${branch}`);
      return [...byRef.values()].map((same) => verdictOf(same, relaxation, key, withinMs));
    });
  },
});

function verdictOf(pushes: readonly Push[], relaxation: Relaxation, key: string, withinMs: number) {
  const { change, restoredBy } = relaxation;
  const { branch: ref, type, revision } = pushes[0]!.data;
  const repository = pushes[0]!.repository!.name;
  const { control, relaxed, back } = relaxationInWords(relaxation, key, repository);
  const afterPushMs = restoredBy === undefined ? Number.POSITIVE_INFINITY : msBetween(pushes.at(-1)!, restoredBy);
  const isTheirs = pushes.some(({ by }) => by.id === (change.by?.id ?? change.by?.login.toLowerCase()));
  const isLent = afterPushMs <= lentMs;
  const severity = afterPushMs <= withinMs ? 'critical' : isTheirs || isLent ? 'high' : 'medium';
  const pushers = [...new Set(pushes.map(({ by }) => by.name))].slice(0, 5).join(', ');
  return {
    ...{ subject: `${repository}@${ref}`, occasion: change.eventId, severity: severity as Severity },
    because: [relaxed, ...pushes.slice(0, 20), ...(isLent ? back : [])],
    title: `${pushers} pushed to ${ref} of ${repository} while its protection was relaxed`,
    summary:
      `${relaxed.what}, and ${pushers} pushed to ${ref} meanwhile${isLent ? '; then it was put back' : ''}. ` +
      `What was pushed need not have passed what protects ${ref}.`,
    entities: [
      entityOf('commit', `${repository}@${revision}`, commitKeyIn(key, revision)),
      entityOf('ref', `${repository}@refs/${type === 'tag' ? 'tags' : 'heads'}/${ref}`, refKeyIn(key, type, ref)),
      ...pushes.flatMap(entitiesOf),
    ],
    remedy: [
      `Read what was pushed to ${ref}, and revert it unless somebody answers for it.`,
      `Put ${control} back as it was${isLent ? ', and look whether all of it is' : ''}.`,
    ],
  };
}
