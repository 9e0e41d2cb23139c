import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import * as control from '@tripline/facts/controls';
import { isThere, type Move, type Ref, refs } from '@tripline/facts/refs';
import { repositories } from '@tripline/facts/repositories';
import { acceptanceOf, noHouse, placeOf, reviewFacts, reviewReader } from '@tripline/facts/review-reader';
import { commitKeyIn, entityOf, isSameAccount, personOf, refKeyIn, refNamedIn } from '@tripline/facts/things';
import { z } from 'zod';
import { conclusionOf } from './builders/basis.ts';
import { shortSha } from './evidence.ts';
import { relaxationInWords } from './relaxation-words.ts';

const { controls } = control;
const hourMs = 3_600_000;
/** A protection that is put back within this was meant to be put back. */
const lentMs = 7 * 24 * hourMs;
const dayMs = 24 * hourMs;
/** GitHub tells of a merge by a push, and by the change a moment later. */
const settleMs = 30_000;

type Context = ConcludeContext<Record<string, never>>;

export const rule = defineRule<unknown, Record<string, never>>({
  id: 'protection-left-relaxed',
  title: 'Pushed long after a protection was relaxed',
  description:
    'A branch protection or ruleset was made weaker, stayed so for more than an hour, and then something that is not known to be reviewed came to a ref that it names; what comes within the hour is found by `protection-weakened-then-push`. ' +
    'It is told once a relaxation and ref, however long it stays and however often is pushed: with the first push, with the first by whoever relaxed it (high), and with those in the hour before it is put back (critical, since so a protection is got round and the trace covered). ' +
    'What another protection demands as well is not relaxed: one that is replaced by another as strong, or moved from a branch rule into a ruleset.',
  severity: 'critical',
  confidence: 'high',
  principles: [5],
  attack: ['T1685'],
  owasp: ['CICD-SEC-1'],
  feeds: {
    needs: ['github'],
    better: { 'github-api': 'proves who made a merge; without it, one by a merge commit is not known to be reviewed' },
  },
  falseAlarms: [
    'A protection that is meant to be weaker from now on: medium, once a ref that it names; resolve it as accepted.',
    'Maintenance of hours by an administrator: an exception for their account, or for the ref.',
  ],
  limits: [
    'Of refs that only a pattern for all names covers, and of those that are made later by a pattern, it is told where the protection is put back within a day: else each branch of a team that gave it up would be.',
    'A ref that only a pattern covers, where nothing was known of the repository’s protections when it was pushed, and the relaxation was received after the push: found with the next push to it.',
  ],
  reads: [],
  settings: z.strictObject({}) as unknown as z.ZodType<Record<string, never>>,
  learns: false,
  concludes: {
    uses: [controls, ...reviewFacts],
    about: [controls, refs],
    begins: { facts: [controls], key: (subject) => refNamedIn(subject).repository },
    subjects({ fact, key, value, before }) {
      if (fact === refs.id) {
        const { moves } = value as Ref;
        // An inventory tells of thousands that nobody has moved.
        return moves.length === 0 || moves === (before as Ref | undefined)?.moves ? [] : [key];
      }
      if (fact !== controls.id) return [];
      // Others that it covers have been pushed to, and watch.
      const named = control.relaxationsOf(value as control.Controls).flatMap(control.branchesNamedBy);
      return [...new Set(named)].map((name) => refKeyIn(key, 'branch', name));
    },
    conclude(subject, context) {
      const { repository: key, ...ref } = refNamedIn(subject);
      const known = context.read(controls, key);
      if (known === undefined || !control.isOfControls(known, ref)) return [];
      context.watch(controls, key);
      const moved = context.read(refs, subject);
      return moved === undefined
        ? []
        : control.relaxationsOf(known).flatMap((one) => {
            const relaxation = control.asProved(one, context.doubtOf);
            return concludeOne({ key, ref, moved, relaxation }, context);
          });
    },
  },
});

type Relaxed = { key: string; ref: control.RefName; moved: Ref; relaxation: control.Relaxation };

function concludeOne({ key, ref, moved, relaxation }: Relaxed, context: Context): Conclusion[] {
  const { change, restoredBy } = relaxation;
  const startMs = parseTime(change.time);
  const backMs = restoredBy === undefined ? Number.POSITIVE_INFINITY : parseTime(restoredBy.time);
  const moves = moved.moves.filter(
    ({ time, after }) => !isNone(after) && control.isRelaxedFor(relaxation, ref, parseTime(time)),
  );
  const isLate = ({ time }: Move) => parseTime(time) - startMs > hourMs;
  if (!moves.some(isLate)) return [];
  // As it was called first, so that a renaming makes no other finding.
  const repository = context.read(repositories, key)?.names[0]?.name ?? key.split(':').slice(2).join(':');
  const verdicts = verdictsOf(key, repository, ref, context);
  const isTheirs = ({ by }: Move) => isSameAccount(by, change.by);
  const isOpen = (move: Move) => verdicts(move) !== 'reviewed';
  const beforeBack = moves.filter((move) => backMs - parseTime(move.time) <= hourMs && isOpen(move));
  const first = moves.find(isOpen);
  const theirs = moves.find((move) => isTheirs(move) && isOpen(move));
  const isNamed = isNamedThen(relaxation, ref, moved, startMs);
  const told = [...new Set([first, theirs, ...beforeBack])].filter((move) => {
    return move !== undefined && isLate(move) && (isNamed || backMs - parseTime(move.time) <= dayMs);
  }) as Move[];
  if (told.length === 0) return [];
  const { control: name, relaxed, back } = relaxationInWords(relaxation, key, repository);
  const [isCovered, isOwn] = [told.some((move) => beforeBack.includes(move)), told.some(isTheirs)];
  const isLent = backMs - startMs <= lentMs;
  const pushers = [...new Set(told.map(whoOf))].slice(0, 5).join(', ');
  const isDoubtful = told.every((move) => verdicts(move) === 'unknown') || !(isOwn || restoredBy);
  const { after } = told[0]!;
  return [
    conclusionOf<never>(
      {
        subject: `${repository}@${ref.name}`,
        occasion: change.eventId,
        severity: isCovered ? 'critical' : isOwn || (isLent && isNamed) ? 'high' : 'medium',
        confidence: isDoubtful ? 'medium' : 'high',
        because: [
          relaxed,
          ...told.slice(0, 20).map((move) => ({
            ...{ fact: refs, key: refKeyIn(key, ref.type, ref.name), seen: move },
            what: `${whoOf(move)} pushed ${shortSha(move.after)} to ${ref.name}`,
          })),
          ...back,
        ],
        title: `${pushers} pushed to ${ref.name} of ${repository}, whose protection had stood relaxed`,
        summary:
          `${relaxed.what} at ${change.time}, and ${pushers} pushed to ${ref.name} while it stayed so${restoredBy ? '; then it was put back' : ''}. ` +
          `What was pushed need not have passed what protects ${ref.name}.${restoredBy ? '' : ' No later push by others is told until it is put back.'}`,
        entities: [
          entityOf('commit', `${repository}@${after}`, commitKeyIn(key, after)),
          entityOf(
            'ref',
            `${repository}@refs/${ref.type === 'tag' ? 'tags' : 'heads'}/${ref.name}`,
            refKeyIn(key, ref.type, ref.name),
          ),
          ...told.flatMap(({ by }) => (by === undefined ? [] : [personOf(by, key)])),
        ],
        remedy: [
          `Read what was pushed to ${ref.name} since ${change.time}, and revert it unless somebody answers for it.`,
          `Put ${name} back as it was, or resolve this as accepted where it is meant to stay so.`,
        ],
      },
      () => {
        throw new Error('it rests on shared facts alone');
      },
    ),
  ];
}

const whoOf = ({ by }: Move): string => by?.login ?? 'somebody unnamed';
const isNone = (revision: string | undefined): boolean => revision === undefined || /^0*$/.test(revision);

/** By name, or by a pattern as one that was there already: of what is made by it later there is no end. */
function isNamedThen(relaxation: control.Relaxation, ref: Relaxed['ref'], moved: Ref, startMs: number): boolean {
  if (ref.type === 'branch' && control.branchesNamedBy(relaxation).includes(ref.name)) return true;
  const wasThere = isThere(moved, startMs) || !isNone(moved.first?.before);
  return wasThere && control.isNamedBy(relaxation, ref);
}

/** Of each move whether what came is reviewed, once: what is not known to be is asked of the provider, and waited for. */
function verdictsOf(key: string, repository: string, ref: Relaxed['ref'], context: Context) {
  const place = placeOf(key, repository, undefined, context);
  const reader = reviewReader(place, ref.name, context, noHouse);
  const known = new Map<Move, 'reviewed' | 'unreviewed' | 'unknown'>();
  return (move: Move) => {
    let verdict = known.get(move);
    if (verdict === undefined) {
      const isPast = move.forced || ref.type === 'tag';
      verdict = isPast ? 'unreviewed' : acceptanceOf(move.after, 'landed', place, reader, context).is;
      const settledMs = (move.heardMs ?? 0) + settleMs;
      if (!isPast && verdict !== 'reviewed' && context.nowMs < settledMs) {
        // Until then it is left be.
        context.recheckAt(settledMs);
        verdict = 'reviewed';
      }
      known.set(move, verdict);
    }
    return verdict;
  };
}
