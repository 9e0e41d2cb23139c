import { parseTime } from '@tripline/contracts/time';
import type { Accepted } from './acceptance.ts';
import { poolOf, type RunnerClass } from './runner-classes.ts';
import type { Listing, Registration, Runner, Work } from './runners.ts';

/** What a reader of facts knows of the workspace. */
export type Learning = {
  /** What was received before counts as usual, ms of the log's time. */
  learnedUntilMs: number;
  /** Whether a finding stands that names a run, by its key, or by its name where no event told an id: nothing is learned from it. */
  tainted: (run: string) => boolean;
};

/** What was known of a runner when it did some work. */
export type Standing = {
  /** Where inventories have it, of the organisation that the work was for. */
  listings: readonly Listing[];
  /** Other work of it that is in order: learned, or done before somebody accepted it. */
  usual: readonly Work[];
  isAccepted: boolean;
  /** Who registered it last before; absent where that was so already on day one, or was accepted since. */
  registered?: Registration;
};

/**
 * What is known of `runner` at `work`, in any order of arrival. What was true on day one was true before it; an inventory of
 * later says nothing of what was done until then, and accepting a runner nothing of what it was found for.
 */
export function standingAt(runner: Runner, work: Work, learning: Learning): Standing {
  const ms = parseTime(work.time);
  const acceptedMs = acceptedSince(runner.accepted);
  const isAccepted = acceptedMs < ms;
  const isThen = ({ heardMs, time }: Listing) => heardMs < learning.learnedUntilMs || parseTime(time) <= ms;
  const learned = runner.early.filter((early) => isLearned(early, learning));
  const accepted = isAccepted ? runner.work.filter(({ time }) => parseTime(time) <= acceptedMs) : [];
  const last = runner.registrations.findLast(({ registeredMs }) => registeredMs <= ms);
  const isSettled =
    last === undefined || last.heardMs < learning.learnedUntilMs || (isAccepted && acceptedMs >= last.registeredMs);
  return {
    listings: runner.listings.filter((listing) => isSameOwner(listing, work) && isThen(listing)),
    usual: [...learned, ...accepted],
    isAccepted,
    ...(isSettled ? {} : { registered: last }),
  };
}

/** That inventories have a runner elsewhere than where it worked: `here` the repository or group of the work, `listed` those of the inventories. */
export type Elsewhere = { kind: 'repository' | 'group'; here: string; listed: string };

/** Undefined where no inventory has the runner, or where it worked there before and that is in order. */
export function elsewhereOf(
  { listings, usual }: Pick<Standing, 'listings' | 'usual'>,
  work: Work,
): Elsewhere | undefined {
  if (listings.length === 0) return undefined;
  const isOfAll = listings.some(({ repository }) => repository === undefined);
  if (!isOfAll && ![...listings, ...usual].some((one) => isSameRepository(one, work))) {
    const listed = listings.map(({ repository }) => repository).join(', ');
    return { kind: 'repository', here: work.repositoryId ?? work.repository, listed };
  }
  const groups = listings.flatMap(({ groupId }) => groupId ?? []);
  const { groupId } = work;
  if (groupId === undefined || groups.length === 0 || groups.includes(groupId)) return undefined;
  if (usual.some((one) => one.groupId === groupId)) return undefined;
  return { kind: 'group', here: groupId, listed: groups.join(', ') };
}

/** Whether a runner of this class is one of a pool that was learned, or that somebody had accepted by then. */
export function isKnownPool(known: RunnerClass | undefined, work: Work, learning: Learning): boolean {
  const pool = poolOf(known);
  if (pool.length === 0) return false;
  const learned = pool.filter((member) => isLearned(member, learning));
  return learned.length >= leastLearned || acceptedSince(known?.accepted) < parseTime(work.time);
}
/** Less is chance: whoever registers a runner while a workspace is being learned chooses its name. */
const leastLearned = 3;

/** Heard of while the workspace was being learned, of a run in which nothing was found: only so does anything become usual. */
export function isLearned(
  of: { heardMs: number; run?: string | undefined; runKey?: string | undefined },
  { learnedUntilMs, tainted }: Learning,
): boolean {
  // Marks of former versions are by name, and so are those of runs whose id no event told.
  return of.heardMs < learnedUntilMs && ![of.run, of.runKey].some((run) => run !== undefined && tainted(run));
}

const acceptedSince = (accepted: Accepted | undefined): number =>
  accepted?.isAccepted ? parseTime(accepted.time) : Number.POSITIVE_INFINITY;

const isSameOwner = (listing: Listing, { ownerId }: Work): boolean =>
  listing.ownerId === undefined || ownerId === undefined || listing.ownerId === ownerId;

type OfRepository = { repository?: string | undefined; repositoryId?: string | undefined };
/** By id where both are known, else by name. */
function isSameRepository(a: OfRepository, b: OfRepository): boolean {
  if (a.repositoryId !== undefined && b.repositoryId !== undefined) return a.repositoryId === b.repositoryId;
  return a.repository !== undefined && a.repository.toLowerCase() === b.repository?.toLowerCase();
}
