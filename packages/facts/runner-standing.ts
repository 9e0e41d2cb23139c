import type { ConcludeContext } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import type { Accepted } from './acceptance.ts';
import { type Registrar, registrarId, registrars } from './registrars.ts';
import { poolOf, type RunnerClass, runnerClasses } from './runner-classes.ts';
import { isMadeGroup, runnerGroups } from './runner-groups.ts';
import { keyBeside, runnerGroupId } from './runner-keys.ts';
import { type Listing, type Registration, type Runner, runners, type Work } from './runners.ts';

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
/**
 * Whether somebody registered runners of the organisation's own, not of a repository's, while that was learned. An inventory lists
 * runners, and not who registers them.
 */
const isUsualRegistrar = (known: Registrar | undefined, { unlistedLearnedUntilMs }: Reads): boolean =>
  known !== undefined &&
  known.heardMs < unlistedLearnedUntilMs &&
  known.registrations.some(
    ({ repository, time }) => repository === undefined && parseTime(time) < unlistedLearnedUntilMs,
  );

/** Less is chance: whoever registers a runner while a workspace is being learned chooses its name. */
const leastLearned = 3;

/** What speaks against a runner; findings on one are one for each `occasion`. */
export type Doubt = { occasion: string; why: string };
/** What a house says of its runners. */
export type House = {
  isOfPool: (work: Work) => boolean;
  isRegistrar: (registered: Registration) => boolean;
  hasRegistrars: boolean;
  youngMs: number;
};
type Reads = Learning & Pick<ConcludeContext<unknown>, 'read' | 'watch' | 'unlistedLearnedUntilMs'>;

/** The runner is not known at all. */
export const isNew = 'new';
/** Nor is it, but others of its pool are, and nobody else may put a machine into their group: once a month. */
const rebuilt = 'rebuilt ';
export const isRebuilt = ({ occasion }: Doubt): boolean => occasion.startsWith(rebuilt);

/** What speaks against a runner when it did some work; undefined where nothing does. */
export function doubtOf(runner: Runner, work: Work, house: House, reads: Reads): Doubt | undefined {
  const { listings, usual, isAccepted, registered } = standingAt(runner, work, reads);
  const isOfPool = isOfKnownPool(runner, work, house, reads);
  const isKnown = listings.length + usual.length > 0 || isAccepted || isOfPool;
  const isRegistrar = registered !== undefined && house.isRegistrar(registered);
  let why: string | undefined;
  if (registered !== undefined) {
    const { registeredMs, by = 'somebody unnamed' } = registered;
    const isYoung = parseTime(work.time) - registeredMs < house.youngMs;
    const isListedSince = listings.some(({ time }) => parseTime(time) >= registeredMs);
    if (house.hasRegistrars && !isRegistrar) why = `it was registered by ${by}, who is no registrar`;
    else if (isYoung && !isOfPool && !isListedSince) {
      why = `it was registered only at ${new Date(registeredMs).toISOString()}`;
    }
  }
  if (!isKnown) {
    if (isRegistrar && why === undefined) return undefined;
    const pool = mayBeOfHouse(registered, work, house, reads) ? poolOfUnknown(work, reads) : undefined;
    if (pool === 'accepted') return undefined;
    const others = 'it is in no inventory, though others of its pool are known';
    if (pool === 'rebuilt')
      return { occasion: rebuilt + (runner.work[0] ?? work).time.slice(0, 'YYYY-MM'.length), why: others };
    return { occasion: isNew, why: why ?? 'it is in no inventory, and nobody has accepted it' };
  }
  if (why !== undefined) return { occasion: `registered ${registered!.eventId}`, why };
  const elsewhere = elsewhereOf({ listings, usual }, work);
  if (elsewhere === undefined) return undefined;
  const { kind, here, listed } = elsewhere;
  if (kind === 'group')
    return { occasion: `group ${here}`, why: `it is in runner group ${here}, and the inventory has it in ${listed}` };
  return { occasion: `in ${here}`, why: `it is a runner of ${listed} alone, and the job was of ${work.repository}` };
}

/** Whether a runner is one of a pool that is configured, or known and then takes one job. */
function isOfKnownPool({ jobs }: Runner, work: Work, house: House, reads: Reads): boolean {
  const isConfigured = house.isOfPool(work);
  if (isConfigured || work.classKey === undefined || jobs.length > 1) return isConfigured;
  return isKnownPool(reads.watch(runnerClasses, work.classKey), work, reads);
}

/** Nobody said who registered it, where no feed tells, or it is somebody who may, or did so while the workspace was learned. */
function mayBeOfHouse(by: Registration | undefined, { classKey = '' }: Work, house: House, reads: Reads): boolean {
  if (by === undefined) return !house.hasRegistrars;
  if (house.hasRegistrars) return house.isRegistrar(by);
  const account = { login: by.by ?? '', ...(by.byId === undefined ? {} : { id: by.byId }) };
  return isUsualRegistrar(reads.watch(registrars, keyBeside(classKey, registrarId(account))), reads);
}

/**
 * What is known of the pool of a machine that nobody knows, in a group that the organisation made: `rebuilt` where others of its class
 * were known there before, so that it seems to be one of those made anew; `accepted` where somebody accepted the class by then.
 * Only who may administer the organisation's runners puts a machine into such a group. Undefined where that is not known.
 */
function poolOfUnknown(work: Work, reads: Reads): 'rebuilt' | 'accepted' | undefined {
  const { classKey, groupId, ownerId } = work;
  if (classKey === undefined || groupId === undefined) return undefined;
  const pool = reads.watch(runnerClasses, classKey);
  const group = reads.watch(runnerGroups, keyBeside(classKey, runnerGroupId(groupId)));
  if (pool === undefined || !isMadeGroup(group, ownerId)) return undefined;
  if (acceptedSince(pool.accepted) < parseTime(work.time)) return 'accepted';
  const isKnown = (runner: Runner | undefined) => {
    const { listings, usual } = runner === undefined ? nothing : standingAt(runner, work, reads);
    return [...listings, ...usual].some((one) => one.groupId === groupId);
  };
  return pool.members.some(({ key }) => isKnown(reads.read(runners, key))) ? 'rebuilt' : undefined;
}
const nothing = { listings: [], usual: [] };

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
