import { createHash } from 'node:crypto';
import type { Observed } from '@tripline/contracts/fact';
import type { LookUp } from '@tripline/contracts/job';
import type { ConcludeContext, Concludes } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { changes } from './changes.ts';
import { type Commit, commits, isByPages, isTaggedAs } from './commits.ts';
import { rulesetsOf } from './owner-rulesets.ts';
import { differsInReviews, type Ref, refs } from './refs.ts';
import {
  boundBy,
  isDefaultBranch,
  isKnownProtected,
  isListed,
  isProtectedBranch,
  type Repository,
  repositories,
  requiresNoReview,
} from './repositories.ts';
import {
  hadLanded,
  isReviewed,
  isReviewedBuild,
  isReviewedHead,
  type ReviewReader,
  type ReviewVerdict,
} from './reviewed.ts';
import type { Attempt, Build } from './runs.ts';
import { type Account, changeKeyIn, commitKeyIn, namedRepository, refKeyIn } from './things.ts';
import { isFileOf, readWorkflowFile } from './workflow-files.ts';
import { memberKeysOf, writerKeyIn, writers } from './writers.ts';

/** The facts that a rule which asks for reviews uses. */
export const reviewFacts = [commits, changes, refs, repositories, writers] as const;
/** Whether a change of one of them, or of another fact, may matter to a review: branches move all day. */
export const mattersToReviews: NonNullable<Concludes<never>['matters']> = ({ fact, value, before }) => {
  if (fact === refs.id) return differsInReviews(before as Ref | undefined, value as Ref | undefined);
  if (fact !== repositories.id) return true;
  // What an owner's rulesets ask is read only of repositories of which nothing else is known to be asked.
  if ((value as Repository).protections.some(({ binds }) => binds !== undefined)) return true;
  return isListed(value as Repository) && (before === undefined || !isListed(before as Repository));
};
type Reads = Pick<ConcludeContext<unknown>, 'read' | 'watch'>;

/** A repository as rules read it: under its id, and under every name by which an inventory may have listed it. */
export type Place = {
  /** The key of the repository. */
  key: string;
  provider: string;
  instance: string;
  /** Absent where only its name is known. */
  id: string | undefined;
  name: string;
  /** Every name that it was told by. */
  names: readonly string[];
  defaultBranch: string | undefined;
  isDefault: (branch: string) => boolean;
  /** `ms`: by the provider's time. */
  isProtected: (branch: string, ms: number) => boolean;
  /** The same, of what an inventory or an event of a protection names, and not of each default branch. */
  isKnownProtected: (branch: string, ms: number) => boolean;
  /** By what it is known that nobody requires a review there; undefined where somebody does, or it is not known. */
  requiresNone: (ms: number) => Observed | undefined;
  branch: (name: string) => Ref[];
  /** Anybody may read it, and review its changes. */
  isPublic: boolean;
  /** Paths of workflows that use secrets, by an inventory. */
  secretWorkflows: readonly string[];
};

/** Whether the workflow of a run, or one that it calls, is known to use secrets: by an inventory, or by `more`, as `workflowFile` takes them. */
export function usesSecrets({ path, referenced }: Attempt, place: Place, more: readonly string[]): boolean {
  const isOwn = (file: string | undefined): boolean =>
    file !== undefined && (place.secretWorkflows.includes(file) || more.some((one) => isFileOf(one, place, file)));
  if (isOwn(path)) return true;
  return referenced.some((one) => {
    const called = readWorkflowFile(one.split('@', 1)[0]!);
    const name = called.repository.toLowerCase();
    if (place.names.some((own) => own.toLowerCase() === name)) return isOwn(called.path);
    return more.some((entry) => isFileOf(entry, { id: undefined, names: [name] }, called.path));
  });
}

/** `defaultBranch`: as the thing that is judged tells it. */
export function placeOf(repositoryKey: string, name: string, defaultBranch: string | undefined, reads: Reads): Place {
  const [provider, instance, id] = partsOf(repositoryKey);
  const own = reads.read(repositories, repositoryKey);
  const keys = [repositoryKey];
  const names: string[] = [];
  const add = (one: string) => {
    names.push(one);
    const named = namedRepository(one);
    const key = `${provider}:${instance}:${named}`;
    if (named !== id && !keys.includes(key)) keys.push(key);
  };
  add(name);
  for (const told of own?.names ?? []) if (told.name !== name) add(told.name);
  const branches = new Map<string, Ref[]>();
  const branch = (of: string): Ref[] => {
    let known = branches.get(of);
    if (known === undefined) {
      known = keys.flatMap((key) => reads.watch(refs, refKeyIn(key, 'branch', of)) ?? []);
      branches.set(of, known);
    }
    return known;
  };
  const known: Repository[] = own === undefined ? [] : [own];
  for (const key of keys) {
    const other = key === repositoryKey ? undefined : reads.read(repositories, key);
    if (other !== undefined) known.push(other);
  }
  const told = () => known.findLast(({ defaultBranches }) => defaultBranches.length > 0)?.defaultBranches.at(-1)?.name;
  const isDefault = (branch: string) => branch === defaultBranch || isDefaultBranch(known, branch);
  return {
    key: repositoryKey,
    provider,
    instance,
    name,
    names,
    isDefault,
    id: idOf(id),
    defaultBranch: defaultBranch ?? told(),
    isProtected: (branch, ms) => isDefault(branch) || isProtectedBranch(known, branch, ms),
    isKnownProtected: (branch, ms) => isKnownProtected(known, branch, ms),
    requiresNone(ms) {
      const isUnasked = requiresNoReview(known, ms) !== undefined;
      const owner = `${provider}:${instance}:${rulesetsOf(name.slice(0, name.indexOf('/')))}`;
      // Asked only where it matters: most repositories are protected by themselves, or never looked at.
      const since = isUnasked
        ? requiresNoReview(known, ms, boundBy(reads.watch(repositories, owner), name, idOf(id)))
        : undefined;
      // That it was made may be received later than what was pushed to it.
      if (since === undefined && !known.some(isListed)) reads.watch(repositories, repositoryKey);
      return since;
    },
    branch,
    isPublic: own?.visibility.at(-1)?.value === 'public',
    secretWorkflows: known.flatMap((one) => one.secretWorkflows.map((workflow) => workflow.name)),
  };
}

/** The repository's id; undefined where no feed told one. */
const idOf = (id: string): string | undefined => (id.startsWith('name:') ? undefined : id);

/** Provider, instance, and the repository's id or name. */
function partsOf(repositoryKey: string): [provider: string, instance: string, id: string] {
  const first = repositoryKey.indexOf(':');
  const second = repositoryKey.indexOf(':', first + 1);
  return [repositoryKey.slice(0, first), repositoryKey.slice(first + 1, second), repositoryKey.slice(second + 1)];
}

const formOfAccount = 'an account as `login:id`, since a login can change hands, or an app as `name[bot]`';
const account = z.string().regex(/^(?:[^\s:]+:\d+|[^\s:]+\[bot\])$/, formOfAccount);
/** Settings of every rule that asks for reviews. Accounts each as `login:id`, or an app as `name[bot]`. */
export const reviewHouse = {
  /** Accounts whose own work needs no review, such as a release bot: what they author and push, whoever merges it. */
  exemptActors: z.array(account).default([]),
  /** Accounts whose merges count as the provider's own, such as bors. `approves`: they merge only what was approved in a way of their own, by comments. */
  mergeBots: z.array(z.strictObject({ account, approves: z.boolean().default(false) })).default([]),
  /** Accounts of machines that look like people's, which the provider does not tell apart: their approvals are nobody's. */
  machineUsers: z.array(account).default([]),
  /** How long the events of a change may be on their way, in ms, where they do not come late; until then nothing is said of what one may explain. */
  holdMs: z.int().min(0).default(30_000),
};
export type ReviewHouse = Readonly<z.output<z.ZodObject<typeof reviewHouse>>>;
/** No exceptions. */
export const noHouse: ReviewHouse = { exemptActors: [], mergeBots: [], machineUsers: [], holdMs: 0 };

/** Within this time after a merge, an answer about write access counts for the time of the merge. */
const refusedWithinMs = 86_400_000;

/**
 * Reads what decides a review. `into`: the protected branch that is built, into which or into the default branch a commit
 * must have come; without it any protected branch will do. `builtMs`: when it was built, by the provider's time.
 */
export function reviewReader(
  place: Place,
  into: string | undefined,
  reads: Reads,
  house: ReviewHouse,
  builtMs = Number.POSITIVE_INFINITY,
): ReviewReader {
  const isOne = (entry: string, one: Account | undefined): boolean =>
    entry.endsWith('[bot]') ? entry === one?.login : one?.id !== undefined && entry.endsWith(`:${one.id}`);
  // Cached: each is read several times on the way to a verdict.
  // Before a branch there was none: no commit, of which every new branch would have all others look out.
  const commit = onceEach((revision) =>
    /^0+$/.test(revision) ? undefined : reads.watch(commits, commitKeyIn(place.key, revision)),
  );
  const change = onceEach((number) => reads.watch(changes, changeKeyIn(place.key, number)));
  return {
    commit,
    change,
    branch: place.branch,
    builtMs,
    isPublic: place.isPublic,
    mayWrite(one, ms) {
      if (memberKeysOf(place.key, one).some((key) => reads.read(writers, key)?.member !== undefined)) return true;
      const known = reads.watch(writers, writerKeyIn(place.key, one));
      if (known === undefined) return undefined;
      if (known.push ?? known.merge ?? known.permission) return true;
      // Somebody who may not write now may have been able to earlier.
      return known.refused !== undefined && parseTime(known.refused.time) <= ms + refusedWithinMs ? false : undefined;
    },
    couldWrite(one, ms) {
      const isThen = (proof: Observed | undefined) => proof !== undefined && parseTime(proof.time) <= ms;
      if (memberKeysOf(place.key, one).some((key) => isThen(reads.read(writers, key)?.member))) return true;
      const known = reads.watch(writers, writerKeyIn(place.key, one));
      return [known?.push, known?.merge, known?.permission].some(isThen);
    },
    keyOfCommit: (revision) => commitKeyIn(place.key, revision),
    keyOfChange: (number) => changeKeyIn(place.key, number),
    accepts: (branch, ms) =>
      into === undefined ? place.isProtected(branch, ms) : branch === into || place.isDefault(branch),
    acceptsForNew: place.isProtected,
    requiresNone: (ms) => place.requiresNone(ms) !== undefined,
    into,
    trunks: [...new Set([into, place.defaultBranch])].filter((one) => one !== undefined),
    isExempt: (one) => house.exemptActors.some((entry) => isOne(entry, one)),
    isMachine: (one) => house.machineUsers.some((entry) => isOne(entry, one)),
    vouches: (one) => house.mergeBots.some(({ account }) => isOne(account, one)),
    approves: (one) => house.mergeBots.some(({ account, approves }) => approves && isOne(account, one)),
  };
}

function onceEach<T>(read: (id: string) => T): (id: string) => T {
  const known = new Map<string, { value: T }>();
  return (id) => {
    let entry = known.get(id);
    if (entry === undefined) {
      entry = { value: read(id) };
      known.set(id, entry);
    }
    return entry.value;
  };
}

/** What was received so long after it happened came late, and what belongs to it may come as late again, at most so long, ms. */
const [lateMs, latestMs] = [5 * 60_000, 6 * 3_600_000];
/** How long the push that brought a merge in may be on its way, of which the API and a run of the branch tell already, ms. */
const pushMs = 10 * 60_000;

/** Whether a commit was reviewed, and whether events that are still to come may explain it. */
export type Acceptance = ReviewVerdict & {
  /**
   * Its merge may still arrive, since changes are used there or deliveries come late, and the provider has not answered about it;
   * or it answered of a merge whose push has not arrived, without which a rebase by the provider looks like one by hand.
   */
  mayBeExplained: boolean;
  /** How much longer than usual that may be on its way, ms. */
  moreMs: number;
};

/**
 * Whether a commit is reviewed as what it is: `landed` on the branch that `reader` is of; `built`, with all that came
 * in since the last build; or a `head`, of a change or of a merge queue's group. Unknown commits are looked up at the
 * provider. `heardMs`: when what is judged was received, by the log's time.
 */
export function acceptanceOf(
  revision: string,
  as: 'landed' | 'built' | 'head',
  place: Place,
  reader: ReviewReader,
  { lookUp }: Pick<ConcludeContext<unknown>, 'lookUp'>,
  heardMs = 0,
): Acceptance {
  const { into } = reader;
  let verdict =
    into !== undefined && as !== 'landed' ? isReviewedBuild(revision, into, reader) : isReviewed(revision, reader);
  if (as === 'head' && verdict.is !== 'reviewed') verdict = isReviewedHead(revision, reader);
  if (verdict.is === 'reviewed') return { ...verdict, mayBeExplained: false, moreMs: 0 };
  const known = reader.commit(verdict.revision);
  const delayMs = heardMs - reader.builtMs;
  const isLate = delayMs >= lateMs;
  const base = into ?? place.defaultBranch;
  const landingsOf = (one: Commit | undefined) =>
    (one?.pushes ?? []).filter(({ type, ref }) => type === 'branch' && ref === base);
  const landings = landingsOf(known);
  // What lies beneath may be received long after what was built on it, or what shows that it lies there, and is asked about
  // only then; pushing it again gains nothing.
  const firstMs = [landings, landingsOf(reader.commit(revision))].map((those) =>
    Math.min(...those.map((push) => push.heardMs ?? 0)),
  );
  const behindMs = as === 'built' ? Math.max(0, ...firstMs.filter(Number.isFinite).map((ms) => ms - heardMs)) : 0;
  const moreMs = Math.max(behindMs, isLate ? Math.min(delayMs, latestMs) : 0);
  if (known?.answers.some((answer) => answer.found)) {
    const isOfMerge = as === 'built' && into !== undefined && known.changes.some((change) => change.as === 'merge');
    const isPushMissing = isOfMerge && !known.pushes.some(({ type, ref }) => type === 'branch' && ref === into);
    return { ...verdict, mayBeExplained: isPushMissing, moreMs: Math.max(moreMs, pushMs) };
  }
  const usesChanges = base !== undefined && place.branch(base).some(({ changesMs }) => changesMs !== undefined);
  // Whoever commits by the provider's pages may have merged the first change of this repository that is received.
  const mayBeFirst = landings.some((push) => push.tip === verdict.revision && isByPages(push));
  const mayBeExplained = usesChanges || isLate || mayBeFirst;
  // What is asked also has the repository judged, of which a notice is due.
  if (verdict.is === 'unknown' || mayBeExplained || verdict.needsNone) lookUp(questionOf(place, verdict.revision));
  return { ...verdict, mayBeExplained, moreMs };
}

/**
 * Whether the head of a fork is approved that a run with the rights of the base took. `isOfBase`: the base's commit is all that
 * is told of it, so that no approval is known to be of what it took.
 */
export function acceptanceOfForkRun(
  revision: string,
  place: Place,
  reader: ReviewReader,
  context: Pick<ConcludeContext<unknown>, 'lookUp'>,
): Acceptance & { isOfBase: boolean } {
  if (!hadLanded(revision, reader))
    return { ...acceptanceOf(revision, 'head', place, reader, context), isOfBase: false };
  const why = 'which head of the fork it took is not told';
  return { is: 'unreviewed', why, revision, seen: [], mayBeExplained: false, moreMs: 0, isOfBase: true };
}

/** One question a commit: its id is made of what is asked. */
export function questionOf({ name, id }: Pick<Place, 'name' | 'id'>, revision: string): LookUp {
  const which = id === undefined ? {} : { repositoryId: id };
  const asked = { kind: 'reviews-of-commit' as const, repository: name, ...which, revision };
  return { id: createHash('sha256').update(JSON.stringify(asked)).digest('hex'), ...asked };
}

/** Whether what landed on a branch of a repository is known to be reviewed; what is not known is not. */
export function isKnownReviewed(
  key: string,
  repository: string,
  landed: { branch: string; revision: string },
  reads: Reads,
) {
  const place = placeOf(key, repository, undefined, reads);
  const reader = reviewReader(place, landed.branch, reads, noHouse);
  return isReviewed(landed.revision, reader).is === 'reviewed';
}

/** The provider stamps a push and the run that it sets off by two clocks. */
export const clockMs = 5_000;

/** What a build is of: a pull request, a tag, a change's head, or else the protected branch `into` which its commit must have come. */
export function aimOf(
  { attempt, revision, ref, timeMs }: Pick<Build, 'attempt' | 'revision' | 'ref' | 'timeMs'>,
  place: Place,
  { watch }: Pick<Reads, 'watch'>,
): { isPull: boolean; isTag: boolean; isOfHead: boolean; into: string | undefined } {
  const isPull = attempt?.trigger?.startsWith('pull_request') === true;
  const commit = watch(commits, commitKeyIn(place.key, revision));
  // What is pushed later must not make it another ref's.
  const isTag = attempt?.trigger === 'release' || isTaggedAs(ref, commit, timeMs + clockMs);
  const isOwn = attempt !== undefined && !isPull && attempt.fork !== true && ref !== undefined && !isTag;
  const into = isOwn && place.isProtected(ref, timeMs) ? ref : undefined;
  return { isPull, isTag, isOfHead: isPull || attempt?.trigger === 'merge_group', into };
}
