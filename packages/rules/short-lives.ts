import type { Intent } from '@tripline/contracts/response';
import type { ConcludeContext } from '@tripline/contracts/rule';
import { msBetween, parseTime } from '@tripline/contracts/time';
import { type Commit, commits } from '@tripline/facts/commits';
import { type Move, type Ref, refs } from '@tripline/facts/refs';
import { isOwnMachine, runnerGroups } from '@tripline/facts/runner-groups';
import { type Run, runs } from '@tripline/facts/runs';
import { secretWorkflowKey, secretWorkflows } from '@tripline/facts/secret-workflows';
import { commitKeyIn, refKeyIn } from '@tripline/facts/things';
import type { Basis } from './builders/basis.ts';
import { targetOf } from './builders/seen.ts';

type Reads = Pick<ConcludeContext<unknown>, 'read' | 'watch'>;
const isNothing = (revision: string | undefined): boolean => revision === undefined || /^0+$/.test(revision);
export const isGone = ({ after }: Pick<Move, 'after'>): boolean => isNothing(after);

/** A branch from its making to its deletion, with every commit on which it stood. */
export type ShortLife = {
  made: Move;
  gone: Move;
  stood: { key: string; revision: string; commit: Commit | undefined }[];
};

/** The lives of a branch that were no longer than `withinMs`. */
export function shortLives(
  moves: readonly Move[],
  repositoryKey: string,
  withinMs: number,
  { watch }: Reads,
): ShortLife[] {
  return moves.filter(isGone).flatMap((gone) => {
    // The provider stamps them to the second, so that both may have one time.
    const isBefore = (one: Move) => parseTime(one.time) <= parseTime(gone.time);
    const made = moves.findLast((one) => isNothing(one.before) && !isGone(one) && isBefore(one));
    if (made === undefined || msBetween(made, gone) > withinMs) return [];
    const during = moves.filter((one) => !isGone(one) && isBefore(one) && msBetween(made, one) >= 0);
    const stood = [...new Set(during.map(({ after }) => after))].map((revision) => {
      const key = commitKeyIn(repositoryKey, revision);
      return { key, revision, commit: watch(commits, key) };
    });
    return [{ made, gone, stood }];
  });
}

/** A merge is stamped by another clock than the deletion of what was merged, ms. */
const mergeMs = 60_000;
/** So many branches, each merged into the next, are followed. */
const mostOn = 5;

/**
 * When it was received that what stood on a branch between two times is on no branch any more, ms of the log's time: 0 where it
 * was merged into none. Undefined where it is on one: it was merged into a branch that is there, or that was merged on before it
 * went. Whoever is to leave no trace may merge into a branch that goes too.
 */
export function lostAtMs(
  mergedFrom: Ref['mergedFrom'],
  [fromMs, goneMs]: readonly [number, number],
  repositoryKey: string,
  reads: Reads,
  on = 0,
): number | undefined {
  let lostMs = 0;
  for (const { time, base } of mergedFrom) {
    const ms = parseTime(time);
    if (ms < fromMs || ms > goneMs + mergeMs) continue;
    const into = reads.watch(refs, refKeyIn(repositoryKey, 'branch', base));
    const gone = into?.moves.find((move) => isGone(move) && parseTime(move.time) >= ms);
    if (gone === undefined) return undefined;
    const span = [ms, parseTime(gone.time)] as const;
    const beyondMs = on < mostOn ? lostAtMs(into!.mergedFrom, span, repositoryKey, reads, on + 1) : 0;
    if (beyondMs === undefined) return undefined;
    lostMs = Math.max(lostMs, gone.heardMs ?? 0, beyondMs);
  }
  return lostMs;
}

/** Its pushes that changed files that configure CI, each with the key of its commit. */
export const pushesOfCi = (stood: ShortLife['stood'], branch: string) =>
  stood.flatMap(({ key: at, commit }) =>
    (commit?.pushes ?? []).flatMap((push) => (push.ref === branch && push.ciPaths.length > 0 ? [{ at, push }] : [])),
  );

/** What a run held that not every run does, in words, as what it rests on; and how its secrets are made anew. */
export function heldBy(runKey: string, run: Run, repositoryKey: string, reads: Reads) {
  const basis: Basis[] = [];
  const secrets = new Set<string>();
  for (const { path = '', secrets: given, jobs } of run.attempts) {
    const workflow = secretWorkflowKey(repositoryKey, `${run.repository.name}/${path}`);
    const handed = reads.watch(secretWorkflows, workflow)?.handed.filter((one) => one.runKey === runKey) ?? [];
    for (const one of handed)
      basis.push({ fact: secretWorkflows, key: workflow, seen: one, what: `Its job was given ${one.secret}` });
    for (const name of [...given, ...handed.map(({ secret }) => secret)]) secrets.add(name);
    for (const job of jobs) {
      const isOwn = isOwnMachine(job.worker, runKey, reads.read);
      if (!isOwn && job.environment === undefined) continue;
      const what = `Job ${job.name} ${isOwn ? `ran on ${job.worker!.name}, a machine of your own` : `deployed to ${job.environment}`}`;
      basis.push({ fact: runs, key: runKey, seen: job, what });
    }
  }
  return { basis, secrets: [...secrets].sort() };
}

/** The facts that these read. */
export const lifeFacts = [commits, runs, runnerGroups, secretWorkflows] as const;

/**
 * Ends the run, and has anew what it was given. With `storedBefore`, no other run is to be given what was stored before it, until
 * somebody has made it anew.
 */
export function responseTo(
  key: string,
  { run, secrets }: { run: Run; secrets: readonly string[] },
  storedBefore: string | undefined,
): Intent[] {
  const of = targetOf(run.repository, key);
  const some = secrets.slice(0, 5);
  return [
    { action: 'stop-run', ...of, runId: run.id },
    ...some.map((secret): Intent => ({ action: 'rotate-secret', ...of, secret })),
    ...(storedBefore === undefined
      ? []
      : some.map((secret): Intent => ({ action: 'delete-secret', ...of, secret, storedBefore }))),
  ];
}
