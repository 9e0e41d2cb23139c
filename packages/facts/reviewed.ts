import type { AnyFact, Observed } from '@tripline/contracts/fact';
import type { Because } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { type Change, changes as changesFact, isLetGo, type Review } from './changes.ts';
import { type Commit, commits as commitsFact, isProvedByPages, isSaidByPages, type Push } from './commits.ts';
import type { Ref } from './refs.ts';
import { type Account, isSameAccount } from './things.ts';

/**
 * Whether a commit is reviewed: it came in by a change that the provider merged into an accepted branch, or is that
 * change's reviewed head itself; approved at that head, or at the head beneath update merges that the provider made
 * from the base, by somebody who wrote and pushed none of it and may write to the repository. What could not have been
 * received is unknown. One function covers webhooks and API answers: both are observations in the same facts.
 */
export type ReviewVerdict = {
  is: 'reviewed' | 'unreviewed' | 'unknown';
  why: string;
  /** The commit that decides, and about which the API is to be asked where it is unknown. */
  revision: string;
  seen: readonly Seen[];
  /** Approvers of whom nothing says that they may write to the repository. */
  people?: readonly string[];
  /** It is unknown only because of acts of outsiders, so it retracts nothing. */
  isCrowded?: true;
  /** It is unreviewed, and landed where it is known that nobody requires a review. */
  needsNone?: true;
};
/** What speaks for or against it. `by`: whose act it is. */
export type Seen = { fact: AnyFact; key: string; observed: Observed; what: string; by?: Account };

/** What was seen, as a line of evidence. */
export function becauseOf({ fact, key, observed, what }: Seen): Because {
  const { eventId, eventType, time, url, trust } = observed;
  const line = { eventId, eventType, time, what: clip(what, 500) };
  return { fact, key, trust, evidence: url === undefined ? line : { ...line, url } };
}

/** What is known of one repository, and the exceptions for its accounts. */
export type ReviewReader = {
  commit: (revision: string) => Commit | undefined;
  change: (number: string) => Change | undefined;
  branch: (name: string) => readonly Ref[];
  /** Undefined where unknown. `ms`: by the provider's time. */
  mayWrite: (account: Account, ms: number) => boolean | undefined;
  /** Whether it was proved by then, of somebody who may have got the right afterwards. `ms`: by the provider's time. */
  couldWrite: (account: Account, ms: number) => boolean;
  /** Build time of what is judged, by the provider's clock; later acts of outsiders do not count. */
  builtMs: number;
  /** Anybody may review its changes. */
  isPublic: boolean;
  keyOfCommit: (revision: string) => string;
  keyOfChange: (number: string) => string;
  /** Whether what landed there was landed where it counts for what is being built. `ms`: by the provider's time. */
  accepts: (branch: string, ms: number) => boolean;
  /** Whether it counts at all, such as for a branch that begins there. */
  acceptsForNew: (branch: string, ms: number) => boolean;
  /** Whether it is known that nobody required a review of what was pushed then. `ms`: by the provider's time. */
  requiresNone: (ms: number) => boolean;
  /** The protected branch that is built, if it is one. */
  into: string | undefined;
  /** Branches whose history is used, the default branch last: their first known head counts as reviewed. */
  trunks: readonly string[];
  /** Accounts whose own work needs no review. */
  isExempt: (account: Account | undefined) => boolean;
  /** Accounts of machines, whatever they look like. */
  isMachine: (account: Account) => boolean;
  /** Accounts whose merges count as the provider's own. */
  vouches: (account: Account | undefined) => boolean;
  /** Of those, the ones who merge only what was approved in a way of their own, such as by comments. */
  approves: (account: Account | undefined) => boolean;
};

const deepest = 12;
/** The provider stamps times to the second. */
const sameMomentMs = 1_000;
const proving = new Set(['OWNER', 'MEMBER']);
/** Nobody of the house, where anybody may read; elsewhere a member whose membership is private may show so. */
export const strange = new Set(['NONE', 'FIRST_TIMER', 'FIRST_TIME_CONTRIBUTOR', 'MANNEQUIN']);
const isZero = (revision: string | undefined): boolean => revision === undefined || /^0+$/.test(revision);
const short = (revision: string): string => revision.slice(0, 12);

/** Whether `revision` is reviewed. */
export function isReviewed(
  revision: string,
  reader: ReviewReader,
  without: ReadonlySet<string> = new Set(),
): ReviewVerdict {
  if (isOld(revision, reader))
    return { is: 'reviewed', why: 'it was there before anybody listened', revision, seen: [] };
  const commit = reader.commit(revision);
  const landings = (commit?.pushes ?? []).filter(
    (push) => push.type === 'branch' && !without.has(push.eventId) && reader.accepts(push.ref, parseTime(push.time)),
  );
  const verdicts = landings.map((push) =>
    asRequired(ofLanding(push, revision, reader, without), parseTime(push.time), reader),
  );
  const best =
    verdicts.find(({ is }) => is === 'reviewed') ??
    verdicts.find(({ is }) => is === 'unknown') ??
    // What landed once past a protection is not in order by being pushed again without one.
    verdicts.find(({ needsNone }) => needsNone === undefined) ??
    verdicts[0];
  // A run of the branch shows that it is there, though its push was not received.
  return best ?? asRequired(byAnswer(revision, reader), reader.into === undefined ? undefined : reader.builtMs, reader);
}

/**
 * Whether a build of protected branch `ref` at `revision` builds reviewed commits alone: those that came in beneath it since
 * the last build of the branch, too.
 */
export function isReviewedBuild(revision: string, ref: string, reader: ReviewReader): ReviewVerdict {
  let verdict = isReviewed(revision, reader);
  let at = revision;
  for (let depth = 0; depth < deepest && (verdict.is === 'reviewed' || verdict.needsNone); depth += 1) {
    const landing = reader
      .commit(at)
      ?.pushes.find((push) => push.type === 'branch' && push.ref === ref && push.tip === at);
    if (landing === undefined || isZero(landing.before)) return verdict;
    at = landing.before!;
    const beneath = reader.commit(at);
    // Pushed to hundreds of branches, its push to this one is kept no more; the branch knows.
    const isLanded =
      beneath?.pushes.some((push) => push.type === 'branch' && push.ref === ref) === true ||
      reader.branch(ref).some(({ moves }) => moves.some(({ after }) => after === at));
    // A later run may be of a tag with the branch's name.
    const landedMs = parseTime(landing.time) + sameMomentMs;
    if (!isLanded || beneath?.built.some((run) => run.ref === ref && parseTime(run.time) <= landedMs)) return verdict;
    const below = isReviewed(at, reader);
    const isWorse = verdict.is === 'reviewed' ? below.is !== 'reviewed' : below.is === 'unreviewed' && !below.needsNone;
    if (isWorse) verdict = { ...below, why: `${short(at)} beneath it: ${below.why}` };
  }
  return verdict;
}

/** Whether `revision` is the head of a change that is approved at it, or of a merge queue's group of such changes. */
export function isReviewedHead(revision: string, reader: ReviewReader, depth = 0): ReviewVerdict {
  const commit = reader.commit(revision);
  const verdicts = (commit?.changes ?? [])
    .filter(({ as }) => as === 'head')
    .map(({ change }) => ofChange(change, revision, undefined, reader, depth));
  for (const group of commit?.groups ?? []) {
    const base = group.baseRevision;
    const isBeneath = base !== undefined && (reader.commit(base)?.groups.length ?? 0) > 0 && depth < deepest;
    const parts = group.changes.map((change) => {
      const known = reader.change(change);
      const head = known?.merged.at(-1)?.head ?? known?.heads.at(-1)?.revision ?? known?.reviews.at(-1)?.revision;
      return head === undefined
        ? unknown(revision, `nothing was received of change #${change}`)
        : ofChange(change, head, undefined, reader, depth);
    });
    if (isBeneath) parts.push(isReviewedHead(base, reader, depth + 1));
    if (parts.length > 0) verdicts.push(worst(parts));
  }
  return (
    verdicts.find(({ is }) => is === 'reviewed') ??
    verdicts.find(({ is }) => is === 'unknown') ??
    verdicts[0] ??
    unreviewed(revision, 'no change with an approval by somebody else has it as its head', [])
  );
}

/** Files that configure CI, in all commits from `revision` down to reviewed or unknown ones. */
export function ciPathsBeneath(revision: string, reader: ReviewReader): { paths: string[]; seen: Seen[] } {
  const paths = new Set<string>();
  const seen: Seen[] = [];
  const waiting = [revision];
  const done = new Set<string>();
  while (waiting.length > 0 && done.size < deepest) {
    const at = waiting.pop()!;
    if (done.has(at) || isOld(at, reader)) continue;
    done.add(at);
    const pushes = reader.commit(at)?.pushes ?? [];
    if (pushes.some((push) => push.type === 'branch' && reader.accepts(push.ref, parseTime(push.time)))) continue;
    for (const push of pushes) {
      if (push.ciPaths.length > 0) seen.push(seenPush(at, push, reader));
      for (const path of push.ciPaths) paths.add(path);
      if (push.tip === at && !isZero(push.before)) waiting.push(push.before!);
    }
  }
  return { paths: [...paths], seen };
}

/** Marked, where nobody required a review of what landed then. */
const asRequired = (verdict: ReviewVerdict, landedMs: number | undefined, reader: ReviewReader): ReviewVerdict =>
  verdict.is === 'unreviewed' && landedMs !== undefined && reader.requiresNone(landedMs)
    ? { ...verdict, needsNone: true }
    : verdict;

function isOld(revision: string, reader: ReviewReader): boolean {
  return reader.trunks.some((branch) => {
    const known = reader.branch(branch);
    const isHeardOf = known.some(({ first, stood }) => first !== undefined || stood.length > 0);
    // For a default branch without any events, its commits were there before.
    if (!isHeardOf && branch === reader.into && branch === reader.trunks.at(-1))
      return (reader.commit(revision)?.pushes.length ?? 0) === 0;
    // A commit that was pushed before an inventory listed it, or in the second of the first push, is judged by its push.
    const isPushed = (ms: number) =>
      reader
        .commit(revision)
        ?.pushes.some((push) => push.type === 'branch' && push.ref === branch && parseTime(push.time) <= ms) === true;
    return known.some(
      ({ first, stood }) =>
        (first?.before === revision && !isPushed(parseTime(first.time))) ||
        stood.some((one) => one.revision === revision && !isPushed(parseTime(one.time))),
    );
  });
}

/** Whether it was in an accepted branch already when what is judged was built, by a push or a merge. */
export function hadLanded(revision: string, reader: ReviewReader): boolean {
  if (isOld(revision, reader)) return true;
  const isThen = (branch: string, ms: number) => ms <= reader.builtMs + sameMomentMs && reader.accepts(branch, ms);
  const known = reader.commit(revision);
  return (
    known?.pushes.some(({ type, ref, time }) => type === 'branch' && isThen(ref, parseTime(time))) === true ||
    known?.changes.some(
      ({ change, as }) =>
        as === 'merge' &&
        reader.change(change)?.merged.some((one) => one.revision === revision && isThen(one.base, one.atMs)) === true,
    ) === true
  );
}

/** One push to an accepted branch, that brought `revision` in. */
function ofLanding(told: Push, revision: string, reader: ReviewReader, without: ReadonlySet<string>): ReviewVerdict {
  const tip = told.tip;
  const push =
    tip === revision ? told : (reader.commit(tip)?.pushes.find(({ eventId }) => eventId === told.eventId) ?? told);
  const seen = [seenPush(tip, push, reader)];
  if (reader.isExempt(push.by)) return { is: 'reviewed', why: `${push.by?.login} needs no review`, revision, seen };
  if (push.created) {
    // Creating a branch brings in nothing: its commits are reviewed where they came from, or not at all.
    const elsewhere = isReviewed(
      tip,
      { ...reader, accepts: reader.acceptsForNew },
      new Set([...without, push.eventId]),
    );
    return { ...elsewhere, seen: [...seen, ...elsewhere.seen] };
  }
  if (push.forced) {
    if (push.commits?.length === 0) return { ...byAnswer(tip, reader), seen };
    return unreviewed(tip, `${push.ref} was forced to it`, seen);
  }
  const commits = push.commits?.length ? push.commits.map((one) => one.revision) : [tip];
  const isWhole = push.whole && push.commits !== undefined && push.commits.length > 0;
  let pending: string[] = [];
  const parts: ReviewVerdict[] = [];
  for (const commit of commits) {
    pending.push(commit);
    const merges = changesMergedAs(commit, push.ref, reader);
    if (merges.length === 0) continue;
    const segment = pending;
    pending = [];
    parts.push(bestOf(merges.map((change) => ofSegment(change, commit, segment, push, isWhole, reader))));
  }
  if (pending.length > 0) parts.push(ofTail(tip, pending, push, reader));
  const verdict = worst(parts);
  return { ...verdict, seen: [...seen, ...verdict.seen] };
}

/**
 * The last commits of a push, after the last merge that the provider reports: reviewed only where they end in a
 * reviewed head.
 */
function ofTail(tip: string, pending: readonly string[], push: Push, reader: ReviewReader): ReviewVerdict {
  const last = pending.at(-1)!;
  const heads = (reader.commit(last)?.changes ?? []).filter(({ as }) => as === 'head').map(({ change }) => change);
  const merged = heads.filter((change) =>
    reader.change(change)?.merged.some(({ base, head }) => base === push.ref && head === last),
  );
  if (merged.length > 0) return bestOf(merged.map((change) => ofChange(change, last, push.ref, reader)));
  const answer = answerOf(last, reader);
  if (reader.commit(last)?.crowded === true && answer === undefined) return crowded(last);
  const isFromAdvisory =
    push.message.startsWith('Merge commit from fork') && isSaidByPages(push, last) === true && last === tip;
  if (isFromAdvisory && (answer === undefined || (answer.verified && answer.parents.length === 2))) {
    return unknown(last, 'it says to be the merge of an advisory’s private fork, whose review no webhook tells');
  }
  return unreviewed(last, 'no merged change with an approval by somebody else brought it in', []);
}

/** Commits of a push up to one that the provider reports as the merge of a change. */
function ofSegment(
  number: string,
  merge: string,
  commits: readonly string[],
  push: Push,
  isWhole: boolean,
  reader: ReviewReader,
): ReviewVerdict {
  const change = reader.change(number)!;
  const merged = change.merged.find((one) => one.revision === merge && one.base === push.ref)!;
  const approved = ofChange(number, merged.head, push.ref, reader);
  if (approved.is !== 'reviewed') return { ...approved, revision: merge };
  if (merge === merged.head || reader.vouches(push.by)) return approved;
  const own = new Set([
    merged.head,
    ...change.heads.map(({ revision }) => revision),
    ...(change.listed.at(-1)?.commits ?? []).map((one) => one.revision),
  ]);
  if (isWhole && !commits.some((one) => own.has(one))) {
    // The head is not reachable from the pushed commits, so only the provider itself can have marked this as the merge.
    const { commitCount } = merged;
    if (commits.length === 1 || commitCount === undefined || commits.length <= commitCount) return approved;
    return unknown(merge, `more came in with the merge of #${number} than it consists of`);
  }
  if (!isWhole && answerOf(merge, reader)?.parents.length !== 2) {
    return unknown(merge, `not all that came in with the merge of #${number} was told`);
  }
  const made = madeByProvider(number, merge, merged.head, merged.by, isSaidByPages(push, merge), reader);
  return { ...made, seen: approved.seen };
}

/**
 * Whether the provider itself created the merge commit, from the base and the reviewed head. `isSaid`: a push says so, which
 * proves nothing; one that says otherwise is right.
 */
function madeByProvider(
  number: string,
  merge: string,
  head: string,
  by: Account | undefined,
  isSaid: boolean | undefined,
  reader: ReviewReader,
): ReviewVerdict {
  const answer = answerOf(merge, reader);
  if (answer !== undefined) {
    const isOwn = answer.author !== undefined && (answer.author.type !== 'Bot' || isSameAccount(answer.author, by));
    const isMade = isProvedByPages(answer) && answer.parents.length === 2 && answer.parents.includes(head);
    if (isMade && isOwn)
      return { is: 'reviewed', why: `the provider merged change #${number}`, revision: merge, seen: [] };
    return unreviewed(merge, `the merge of change #${number} was made by hand`, []);
  }
  if (isSaid === false) return unreviewed(merge, `the merge of change #${number} was made by hand`, []);
  return unknown(merge, `nothing proves that the provider made the merge of change #${number}`);
}

function changesMergedAs(revision: string, base: string, reader: ReviewReader): string[] {
  const told = reader.commit(revision)?.changes ?? [];
  const numbers = [...new Set(told.filter(({ as }) => as !== 'part').map(({ change }) => change))];
  return numbers.filter((number) =>
    reader.change(number)?.merged.some((one) => one.revision === revision && one.base === base),
  );
}

/** A commit without a push into an accepted branch: judged by the API's answer, if there is one. */
function byAnswer(revision: string, reader: ReviewReader): ReviewVerdict {
  const commit = reader.commit(revision);
  const answer = answerOf(revision, reader);
  const of = (commit?.changes ?? []).map(({ change }) => change);
  const verdicts = [...new Set(of)].flatMap((number) => {
    const change = reader.change(number);
    const merged = change?.merged.find(({ base, atMs }) =>
      reader.accepts(base, Math.min(atMs, Date.parse('2100-01-01'))),
    );
    if (change === undefined || merged === undefined) return [];
    const approved = ofChange(number, merged.head, merged.base, reader);
    if (approved.is !== 'reviewed' || merged.revision !== revision || revision === merged.head) {
      return [{ ...approved, revision }];
    }
    const own = new Set([merged.head, ...(change.listed.at(-1)?.commits ?? []).map((one) => one.revision)]);
    const [parent] = answer?.parents ?? [];
    const isSquash =
      answer !== undefined && isProvedByPages(answer) && answer.parents.length === 1 && !own.has(parent!);
    return [isSquash ? approved : madeByProvider(number, revision, merged.head, merged.by, undefined, reader)];
  });
  if (verdicts.length > 0) return bestOf(verdicts);
  const pushed = commit?.pushes.find(
    (push) => push.tip !== revision || push.commits?.some((one) => one.revision === revision),
  );
  const seen = (commit?.pushes ?? []).slice(0, 3).map((push) => seenPush(revision, push, reader));
  if (answer !== undefined)
    return unreviewed(revision, 'the provider knows of no merged change that brought it in', seen);
  if (pushed !== undefined) return unreviewed(revision, 'no merged change brought it into a protected branch', seen);
  return unknown(revision, 'nothing was received of how it came in');
}

const answerOf = (revision: string, reader: ReviewReader) =>
  reader.commit(revision)?.answers.findLast(({ found }) => found);

/** Whether change `number` was approved at `head`. `base`: the branch into which it was merged; undefined while it is open. */
function ofChange(
  number: string,
  head: string,
  base: string | undefined,
  reader: ReviewReader,
  depth = 0,
): ReviewVerdict {
  const change = reader.change(number);
  if (change === undefined) return unknown(head, `nothing was received of change #${number}`);
  const merged = change.merged.find((one) => one.head === head && one.base === base);
  const key = reader.keyOfChange(number);
  const seen: Seen[] =
    merged === undefined
      ? []
      : [
          {
            fact: changesFact,
            key,
            observed: merged,
            what: `${merged.by?.login ?? 'Somebody'} merged change #${number} into ${base}`,
          },
        ];
  const updates = reader.isExempt(change.author) ? updatesByOthers(change, head, reader) : undefined;
  if (updates?.every((update) => update?.isSure === true)) {
    const why = `change #${number} is ${change.author!.login}’s, who needs no review`;
    return { is: 'reviewed', why, revision: head, seen };
  }
  if (merged !== undefined && reader.approves(merged.by)) {
    const why = `${merged.by?.login} merged change #${number}, which it does once it is approved`;
    return { is: 'reviewed', why, revision: head, seen };
  }
  const isTold =
    change.listed.some((one) => one.head === head) ||
    change.heads.some((one) => one.revision === head) ||
    isPushed(head, change, reader);
  const untilMs = (merged?.atMs ?? Number.POSITIVE_INFINITY) + sameMomentMs;
  const heads = headsThatCount(head, change, reader);
  const people: string[] = [];
  let isDoubted = false;
  for (const review of liveReviews(change, untilMs)) {
    const counts = heads.get(review.revision);
    if (counts === undefined || review.by === undefined) continue;
    const independent = independenceOf(review.by, change, head, reader);
    if (independent === 'no') continue;
    if (!isOfBase(review, base, reader, depth)) continue;
    const mayWrite = proving.has(review.association) || reader.mayWrite(review.by, merged?.atMs ?? reader.builtMs);
    if (mayWrite === false || (mayWrite === undefined && reader.isPublic && strange.has(review.association))) continue;
    if (mayWrite === undefined) {
      if (review.atMs <= reader.builtMs + sameMomentMs) people.push(review.by.login);
    } else if (counts === 'perhaps' || independent === 'perhaps' || !isTold) isDoubted = true;
    else
      return {
        is: 'reviewed',
        why: `change #${number} was approved by ${review.by.login}`,
        revision: head,
        seen: [
          ...seen,
          { fact: changesFact, key, observed: review, what: `${review.by.login} approved change #${number}` },
        ],
      };
  }
  if (isDoubted)
    return unknown(head, `what came into change #${number} after its approval, and by whom, cannot be told`);
  if (people.length > 0)
    return { ...unknown(head, `nothing says that ${people.join(', ')} may write to the repository`), people };
  const isAnswered = change.listed.length > 0 || answerOf(merged?.revision ?? head, reader) !== undefined;
  if (updates?.every((update) => update !== undefined)) {
    return unknown(head, `nothing proves that the provider made the updates of change #${number}`);
  }
  if (change.crowded === true && !isAnswered) return crowded(head);
  if (change.opened === undefined && !isAnswered)
    return unknown(head, `change #${number} is from before anybody listened`);
  return unreviewed(head, `change #${number} has no live approval of its last commit by somebody else`, seen);
}

/** Other people's pushes to it need a review; an update from the base by the provider does not. */
function updatesByOthers(change: Change, head: string, reader: ReviewReader): (Update | undefined)[] {
  const pushes = (reader.commit(head)?.pushes ?? []).filter(
    (push) => push.type === 'branch' && push.ref === change.branch,
  );
  return [...change.heads, ...(change.fork ? [] : pushes)]
    .filter(({ by }) => by !== undefined && !reader.isExempt(by))
    .map((one) => updateMerge('tip' in one ? one.tip : one.revision, change, reader));
}

const isPushed = (revision: string, { branch, fork }: Change, reader: ReviewReader): boolean =>
  !fork &&
  reader
    .commit(revision)
    ?.pushes.some((push) => push.type === 'branch' && push.ref === branch && push.tip === revision) === true;

/** Each reviewer's last review up to `untilMs`, where it is an approval that was not dismissed by then. */
function liveReviews(change: Change, untilMs: number): Review[] {
  const told = change.reviews
    .filter(({ atMs }) => atMs <= untilMs)
    .sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
  const dismissed = new Set(told.filter(({ state }) => state === 'dismissed').map(({ id }) => id));
  const last = new Map<string, Review>();
  for (const review of told) {
    if (review.state !== 'dismissed') last.set(review.by?.id ?? review.by?.login.toLowerCase() ?? '', review);
  }
  return [...last.values()].filter(({ id, state }) => state === 'approved' && !dismissed.has(id));
}

/** The head, and those beneath it while each step up is an update merge that the provider made of the base. */
function headsThatCount(head: string, change: Change, reader: ReviewReader): Map<string, 'surely' | 'perhaps'> {
  const counting = new Map<string, 'surely' | 'perhaps'>([[head, 'surely']]);
  let at = head;
  let sure: 'surely' | 'perhaps' = 'surely';
  for (let depth = 0; depth < deepest; depth += 1) {
    const step = updateMerge(at, change, reader);
    if (step === undefined || counting.has(step.before)) break;
    if (!step.isSure) sure = 'perhaps';
    at = step.before;
    counting.set(at, sure);
  }
  return counting;
}

type Update = { before: string; isSure: boolean };
function updateMerge(revision: string, change: Change, reader: ReviewReader): Update | undefined {
  const list = change.listed.find(({ commits }) => commits.some((one) => one.revision === revision))?.commits;
  const commit = list?.find((one) => one.revision === revision);
  if (list !== undefined && commit !== undefined) {
    const [before, from] = commit.parents;
    const isOfBase = from !== undefined && commit.parents.length === 2 && !list.some((one) => one.revision === from);
    const isMade = isProvedByPages(commit) && commit.author?.type !== 'Bot';
    return isOfBase && isMade ? { before: before!, isSure: true } : undefined;
  }
  const before = change.heads.find((one) => one.revision === revision && one.before !== undefined)?.before;
  if (before === undefined) return undefined;
  const push = reader
    .commit(revision)
    ?.pushes.find((one) => one.type === 'branch' && one.ref === change.branch && one.tip === revision);
  // A push to the repository itself is always reported; one to a fork never.
  if (!change.fork && isSaidByPages(push, revision) !== true) return undefined;
  return { before, isSure: false };
}

/**
 * Whether somebody who approves is a person who wrote and pushed none of it. `perhaps`: what they brought looks like an update
 * from the base that the provider made, and nothing proves it; or what they may have brought is kept no more.
 */
function independenceOf(by: Account, change: Change, head: string, reader: ReviewReader): 'surely' | 'perhaps' | 'no' {
  if (by.type === 'Bot' || by.login.endsWith('[bot]') || reader.isMachine(by)) return 'no';
  if (isSameAccount(by, change.author)) return 'no';
  let independent: 'surely' | 'perhaps' = isLetGo(change, by) ? 'perhaps' : 'surely';
  /** False for what is surely their own work. */
  const mayBeUpdate = (revision: string): boolean => {
    const update = updateMerge(revision, change, reader);
    if (update?.isSure === false) independent = 'perhaps';
    return update !== undefined;
  };
  if (change.heads.some((one) => isSameAccount(one.by, by) && !mayBeUpdate(one.revision))) return 'no';
  // A commit's author is taken from its e-mail address, which an outsider can choose in a fork.
  if (change.fork) return independent;
  const list = change.listed.findLast((one) => one.head === head)?.commits;
  if (list?.some((one) => isSameAccount(one.author, by) && !mayBeUpdate(one.revision))) return 'no';
  let at: string | undefined = head;
  for (let depth = 0; depth < deepest && at !== undefined && !isZero(at); depth += 1) {
    const commit = reader.commit(at);
    const push: Push | undefined = commit?.pushes.find(
      (one) => one.type === 'branch' && one.ref === change.branch && one.tip === at,
    );
    if (push === undefined) break;
    if (isSameAccount(push.by, by) && !mayBeUpdate(at)) return 'no';
    const isOwn = ({ revision, author, authorId }: NonNullable<Push['commits']>[number]) =>
      isSameAccount(authorId === undefined ? { login: author } : { login: author, id: authorId }, by) &&
      !isLanded(revision, reader) &&
      !mayBeUpdate(revision);
    if (list === undefined && push.commits?.some(isOwn)) return 'no';
    at = push.before;
    if (at !== undefined && isLanded(at, reader)) break;
  }
  return independent;
}

/** It is in an accepted branch already, so it is not part of the change. */
const isLanded = (revision: string, reader: ReviewReader): boolean =>
  isOld(revision, reader) ||
  reader
    .commit(revision)
    ?.pushes.some((push) => push.type === 'branch' && reader.accepts(push.ref, parseTime(push.time))) === true;

/**
 * Whether what was approved is what the merge brought in: the base was the same, or a branch that has itself come into it
 * by a reviewed merge since.
 */
function isOfBase(review: Review, base: string | undefined, reader: ReviewReader, depth: number): boolean {
  if (base === undefined || review.base === undefined || review.base === base) return true;
  if (depth >= deepest) return false;
  return reader.branch(review.base).some((ref) =>
    ref.mergedFrom.some((merge) => {
      const head = reader.change(merge.change)?.merged.find((one) => one.base === base)?.head;
      const isAfter = review.atMs <= parseTime(merge.time) + sameMomentMs;
      return (
        merge.base === base &&
        isAfter &&
        head !== undefined &&
        ofChange(merge.change, head, base, reader, depth + 1).is === 'reviewed'
      );
    }),
  );
}

const seenPush = (revision: string, push: Push, reader: ReviewReader): Seen => ({
  fact: commitsFact,
  key: reader.keyOfCommit(revision),
  observed: push,
  what: `${push.by?.login ?? 'Somebody unnamed'} pushed ${short(push.tip)} to ${push.type} ${push.ref}`,
  ...(push.by === undefined ? {} : { by: push.by }),
});
const unknown = (revision: string, why: string): ReviewVerdict => ({ is: 'unknown', why, revision, seen: [] });
const crowded = (revision: string): ReviewVerdict => ({
  ...unknown(revision, 'more was told of it by strangers than is kept'),
  isCrowded: true,
});
const unreviewed = (revision: string, why: string, seen: readonly Seen[]): ReviewVerdict => ({
  is: 'unreviewed',
  why,
  revision,
  seen,
});
const rank = { reviewed: 0, unknown: 1, unreviewed: 2 } as const;
const worst = (verdicts: readonly ReviewVerdict[]): ReviewVerdict =>
  verdicts.reduce((a, b) => (rank[b.is] > rank[a.is] ? b : a));
const bestOf = (verdicts: readonly ReviewVerdict[]): ReviewVerdict =>
  verdicts.reduce((a, b) => (rank[b.is] < rank[a.is] ? b : a));
