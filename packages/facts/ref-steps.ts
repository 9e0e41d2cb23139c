import { parseTime } from '@tripline/contracts/time';

/** What a push did to a ref: hashes, forty zeros for nothing. */
export type RefStep = {
  time: string;
  before: string;
  after: string;
  /** The commit that `after` names, where it is a tag with a hash of its own. */
  commit: string;
  /** A branch with the tag's name was created: names resolve to it where the tag is gone. */
  isBranch?: boolean | undefined;
};
export const noRevision = '0'.repeat(40);

/**
 * The ref moved away from commit `from`; `deletedBy` where it was deleted and recreated. With `unheard`, the move to
 * that commit was not reported, and the step restored it.
 */
export type RefMove<Step extends RefStep> = { step: Step; from: string; deletedBy?: Step; unheard?: string };

/**
 * Moves of one ref, in order of its own times, without those that restore it within `mendMs`: such a move is the
 * correction, and a later one is another move. Where a step begins elsewhere than the previous one ended, a move in
 * between was not reported, as when many tags are pushed at once: it counts as one move with the step, from the last
 * known commit.
 */
export function refMoves<Step extends RefStep>(inOrder: readonly Step[], mendMs: number): RefMove<Step>[] {
  const steps = inChain(inOrder);
  const commits = new Map(steps.map(({ after, commit }) => [after, commit]));
  const isSame = (a: string, b: string) => (commits.get(a) ?? a) === (commits.get(b) ?? b);
  const moves: RefMove<Step>[] = [];
  let stood: string | undefined;
  let former: Step | undefined;
  for (const step of steps) {
    // A name does not resolve to the branch while the tag exists.
    if (step.isBranch && former?.after !== noRevision) continue;
    const deletedBy = former?.after === noRevision ? { deletedBy: former } : {};
    former = step;
    const from = stood ?? (step.before === noRevision ? undefined : step.before);
    stood = step.after === noRevision ? from : step.after;
    if (step.after === noRevision || from === undefined) continue;
    const unheard = step.before !== noRevision && !isSame(from, step.before);
    if (isSame(from, step.after) && !unheard) continue;
    const last = moves.at(-1);
    const open = last && parseTime(step.time) - parseTime(last.step.time) <= mendMs ? last : undefined;
    if (open !== undefined && isSame(open.from, step.after)) continue;
    const isPutBack = isSame(from, step.after);
    moves.push({ step, from: open?.from ?? from, ...(isPutBack ? { unheard: step.before } : deletedBy) });
  }
  return moves;
}

/** Orders steps of the same second, GitHub's resolution, so that each begins where the previous one left the ref. */
function inChain<Step extends RefStep>(steps: readonly Step[]): Step[] {
  const chain: Step[] = [];
  for (const alike of Map.groupBy(steps, ({ time }) => time).values()) {
    while (alike.length > 0) {
      const stood = chain.at(-1)?.after;
      const isFirst = (one: Step) => !alike.some((other) => other !== one && other.after === one.before);
      const next = alike.find(({ before }) => before === stood) ?? alike.find(isFirst) ?? alike[0]!;
      chain.push(...alike.splice(alike.indexOf(next), 1));
    }
  }
  return chain;
}
