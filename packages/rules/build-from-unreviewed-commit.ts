import { createHash } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import { eventIs, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { defineRule, type RuleContext, type Timer } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import {
  type BuildSettings,
  buildSettings,
  type Commit,
  caps,
  commitSchema,
  fits,
  isExempt,
  knownUnreviewed,
  learnPush,
  learnRun,
  type Run,
  reasonOf,
  reviewedBy,
  unknownCommit,
} from './commit-facts.ts';
import { remembered } from './remembered.ts';
import { answerApproves, approvalOf, type Change, changeSchema, learnChange, unknownChange } from './reviewed.ts';
import { draftOf } from './unreviewed-draft.ts';

const repositorySchema = z.object({ protected: z.array(z.string()), secretWorkflows: z.array(z.string()) });
const branchSchema = z.object({
  /** Its head was in an inventory, so that nothing of it is from before Tripline. */
  inventoried: z.boolean(),
  /** The earliest push heard of, and the head that it found. */
  first: z.object({ timeMs: z.number(), before: z.string() }).optional(),
  /** Approved changes on this base: one of them may be merging now. */
  approved: z.array(z.object({ change: z.string(), untilMs: z.number() })),
  /** Heads that were built although nothing was ever heard of them; judged again when the branch's past is heard of. */
  unheard: z.array(z.string()),
});
type Repository = z.infer<typeof repositorySchema>;
type Branch = z.infer<typeof branchSchema>;
type State = Repository | Branch | Commit | Change;
/** The rule's context, and the keys that this moment may touch. */
type Context = RuleContext<State, BuildSettings>;

const dayMs = 86_400_000;
const keepMs = { repository: 365 * dayMs, branch: 180 * dayMs, change: 90 * dayMs, commit: 90 * dayMs } as const;
const branchCaps = { approved: 50, unheard: 16 } as const;
const newBranch: Branch = { inventoried: false, approved: [], unheard: [] };

const repositoryKey = remembered((repository) => `repository:${repository}`);
const branchKey = (repository: string, branch: string) => `branch:${repository}@${clip(branch, 500)}`;
const commitKey = (repository: string, revision: string) => `commit:${repository}@${revision}`;
const changeKey = (repository: string, change: string) => `change:${repository}#${change}`;
/** `commit:owner/name@sha` apart again. */
function partsOf(key: string): { repository: string; revision: string } {
  const at = key.lastIndexOf('@');
  return { repository: key.slice('commit:'.length, at), revision: key.slice(at + 1) };
}
const getCommit = (context: Context, key: string) => (context.get(key) as Commit | undefined) ?? unknownCommit;
const getChange = (context: Context, key: string) => (context.get(key) as Change | undefined) ?? unknownChange;
const getBranch = (context: Context, key: string) => (context.get(key) as Branch | undefined) ?? newBranch;

const runTypes = [
  'dev.cdevents.pipelinerun.queued',
  'dev.cdevents.pipelinerun.started',
  'dev.cdevents.pipelinerun.finished',
  'dev.cdeventsx.tripline-taskrun.queued',
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
] as const;
const changeTypes = [
  'dev.cdevents.change.created',
  'dev.cdevents.change.updated',
  'dev.cdevents.change.reviewed',
  'dev.cdevents.change.merged',
  'dev.cdevents.change.abandoned',
] as const;

const isInventory = eventIs('dev.cdeventsx.tripline-inventory.observed');
const isRunEvent = eventIs(...runTypes);
const isChangeEvent = eventIs(...changeTypes);
const isPush = eventIs('dev.cdeventsx.tripline-ref.pushed');

function keys(event: LoggedEvent): readonly string[] {
  const data: Attributes = event.data;
  if (isInventory(event)) return inventoryKeys(data);
  const repository = data['vcs.repository.name'];
  const revision = data['vcs.ref.head.revision'];
  const name = data['vcs.ref.head.name'] ?? '';
  if (repository === undefined) return [];
  if (isRunEvent(event)) {
    if (revision === undefined) return [];
    return [repositoryKey(repository), branchKey(repository, name), commitKey(repository, revision)];
  }
  if (isPush(event)) {
    if (data['tripline.ref.deleted'] === true || isZero(revision!)) return [];
    const before = data['tripline.ref.before'];
    const named = [repositoryKey(repository), branchKey(repository, name), commitKey(repository, revision!)];
    if (before !== undefined && !isZero(before)) named.push(commitKey(repository, before));
    return named;
  }
  if (isChangeEvent(event)) {
    const seen = data['tripline.review.revision'] ?? revision!;
    const merge = data['tripline.change.merge_revision'];
    const base = branchKey(repository, data['vcs.ref.base.name'] ?? '');
    const named = [changeKey(repository, data['vcs.change.id']!), base, commitKey(repository, seen)];
    if (merge !== undefined) named.push(commitKey(repository, merge));
    return named;
  }
  if (isEvent(event, 'dev.cdeventsx.tripline-mergegroup.requested')) {
    const changes = (data['tripline.change.ids'] ?? []).slice(0, caps.changes);
    return [commitKey(repository, revision!), ...changes.map((change) => changeKey(repository, change))];
  }
  return [commitKey(repository, revision!)];
}

const isZero = (revision: string) => /^0+$/.test(revision);

function inventoryKeys(data: Attributes): readonly string[] {
  const found = new Set<string>();
  for (const { repository, branch, revision } of data['tripline.inventory.heads'] ?? []) {
    found.add(branchKey(repository, branch)).add(commitKey(repository, revision));
  }
  for (const { repository } of data['tripline.inventory.protected'] ?? []) found.add(repositoryKey(repository));
  for (const { repository } of secretWorkflowsOf(data)) found.add(repositoryKey(repository));
  return [...found];
}

/** `workflow:owner/name/path` among the credentials of an inventory: a workflow that uses secrets. */
function secretWorkflowsOf(data: Attributes): { repository: string; path: string }[] {
  return (data['tripline.inventory.credential_uses'] ?? []).flatMap(({ credential }) => {
    const match = /^workflow:([^/]+\/[^/]+)\/(.+)$/.exec(credential);
    return match ? [{ repository: match[1]!, path: match[2]! }] : [];
  });
}

function judge(event: LoggedEvent, context: Context): void {
  const data: Attributes = event.data;
  if (isInventory(event)) {
    learnInventory(data, context);
    return;
  }
  const repository = data['vcs.repository.name']!;
  if (isRunEvent(event)) {
    judgeRun(event, repository, context);
    return;
  }
  if (isPush(event)) {
    judgePush(event, repository, context);
    return;
  }
  if (isChangeEvent(event)) {
    judgeChange(event, repository, context);
    return;
  }
  const key = commitKey(repository, data['vcs.ref.head.revision']!);
  const commit = getCommit(context, key);
  if (isEvent(event, 'dev.cdeventsx.tripline-mergegroup.requested')) {
    const changes = { ...commit.changes };
    for (const id of (data['tripline.change.ids'] ?? []).slice(0, caps.changes)) {
      const change = getChange(context, changeKey(repository, id));
      const head = change.heads.at(-1)?.revision ?? change.reviews.at(-1)?.revision;
      if (changes[id] !== 'merged' && head !== undefined && approvalOf(change, head)) changes[id] = 'approved';
    }
    review(context, key, { ...commit, changes });
    return;
  }
  const found = data['tripline.lookup.outcome'] === 'found';
  const approves = answerApproves(data['tripline.lookup.changes'] ?? []);
  const answer = found ? (approves ? 'reviewed' : 'unreviewed') : 'unavailable';
  review(context, key, { ...commit, answer: commit.answer === 'reviewed' ? 'reviewed' : answer });
}

function learnInventory(data: Attributes, context: Context): void {
  for (const { repository, branch, revision } of data['tripline.inventory.heads'] ?? []) {
    const key = branchKey(repository, branch);
    context.set(key, { ...getBranch(context, key), inventoried: true }, keepMs.branch);
    const head = commitKey(repository, revision);
    review(context, head, { ...getCommit(context, head), trusted: 'it was the head of a protected branch on day one' });
  }
  const change = (repository: string, to: (state: Repository) => Repository) => {
    const key = repositoryKey(repository);
    const state = (context.get(key) as Repository | undefined) ?? { protected: [], secretWorkflows: [] };
    context.set(key, to(state), keepMs.repository);
  };
  for (const { repository, patterns } of data['tripline.inventory.protected'] ?? []) {
    change(repository, (state) => ({ ...state, protected: patterns.slice(0, 100) }));
  }
  for (const { repository, path } of secretWorkflowsOf(data)) {
    change(repository, (state) => ({
      ...state,
      secretWorkflows: [...new Set([...state.secretWorkflows, path])].slice(-100),
    }));
  }
}

function isProtected(known: Repository | undefined, data: Attributes): boolean {
  const name = data['vcs.ref.head.name'];
  if (name === undefined) return false;
  return name === data['tripline.repository.default_branch'] || fits(known?.protected ?? [], name);
}

function judgeRun(event: LoggedEvent, repository: string, context: Context): void {
  const data: Attributes = event.data;
  const [ofRepository, , key] = context.keys as [string, string, string];
  const known = context.get(ofRepository) as Repository | undefined;
  const path = data['tripline.pipeline.path'] ?? '';
  const secretWorkflow =
    (known?.secretWorkflows.includes(path) ?? false) ||
    context.settings.secretWorkflows.includes(`${repository}/${path}`);
  const dueMs = context.nowMs + context.settings.holdMs;
  const protectedRef = isProtected(known, data);
  const commit = learnRun(getCommit(context, key), event, { protectedRef, secretWorkflow, dueMs });
  review(context, key, commit);
}

function judgePush(
  event: LoggedEvent<'dev.cdeventsx.tripline-ref.pushed'>,
  repository: string,
  context: Context,
): void {
  const { data } = event;
  const [ofRepository, ofBranch, key] = context.keys as [string, string, string];
  const before = data['tripline.ref.before'];
  const timeMs = parseTime(event.time);
  const known = context.get(ofRepository) as Repository | undefined;
  if (data['vcs.ref.head.type'] === 'branch' && isProtected(known, data) && before !== undefined) {
    const branch = getBranch(context, ofBranch);
    if (!branch.inventoried && (branch.first === undefined || timeMs < branch.first.timeMs)) {
      // The head that the first push found was there before Tripline; one that a later "first" named was not.
      if (branch.first) askAgain(context, 'untrust', [commitKey(repository, branch.first.before)]);
      if (!isZero(before)) {
        const old = commitKey(repository, before);
        review(context, old, {
          ...getCommit(context, old),
          trusted: 'it was the head when the branch was first heard of',
        });
      }
      for (const revision of branch.unheard) {
        askAgain(context, 'again', [commitKey(repository, revision), ofBranch]);
      }
      context.set(ofBranch, { ...branch, first: { timeMs, before }, unheard: [] }, keepMs.branch);
    }
  }
  const commit = learnPush(getCommit(context, key), event);
  cover(context, repository, key, commit);
  review(context, key, commit);
}

function judgeChange(event: LoggedEvent, repository: string, context: Context): void {
  const data: Attributes = event.data;
  const id = data['vcs.change.id']!;
  const [key, base, ofHead, ofMerge] = context.keys as [string, string, string, string | undefined];
  const change = learnChange(getChange(context, key), event);
  context.set(key, change, keepMs.change);

  const head = data['tripline.review.revision'] ?? data['vcs.ref.head.revision']!;
  const branch = getBranch(context, base);
  const others = branch.approved.filter((known) => known.change !== id && known.untilMs > context.nowMs);
  const open = !change.merged && event.type !== 'dev.cdevents.change.abandoned';
  const approved = open && approvalOf(change, head) ? [{ change: id, untilMs: context.nowMs + 7 * dayMs }] : [];
  if (approved.length > 0 || others.length < branch.approved.length) {
    context.set(base, { ...branch, approved: [...others, ...approved].slice(-branchCaps.approved) }, keepMs.branch);
  }

  const merge = data['tripline.change.merge_revision'];
  const revisions = [head, change.merged?.head, change.merged?.revision];
  for (const [place, revision] of revisions.entries()) {
    if (revision === undefined || revisions.indexOf(revision) < place) continue;
    if (revision === head) follow(context, ofHead, id, change);
    else if (revision === merge) follow(context, ofMerge!, id, change);
    // The event did not name this commit, so it is another moment's work.
    else askAgain(context, 'follow', [commitKey(repository, revision), key]);
  }
}

/** Writes what a change says of one commit that it brought in. */
function follow(context: Context, key: string, id: string, change: Change): void {
  const { repository, revision } = partsOf(key);
  const commit = getCommit(context, key);
  const brought = change.merged !== undefined && [change.merged.head, change.merged.revision].includes(revision);
  const approved = approvalOf(change, change.merged && brought ? change.merged.head : revision) !== undefined;
  const state = brought ? (approved ? 'merged' : 'unapproved') : approved ? 'approved' : undefined;
  const { changes } = commit;
  const isSaid = state === undefined ? !(id in changes) : changes[id] === state && Object.keys(changes).at(-1) === id;
  const next: Commit = isSaid ? commit : { ...commit, changes: withChange(changes, id, state) };
  cover(context, repository, key, next);
  review(context, key, next);
}

/** What each change says of a commit, with what `id` now says, as the newest. */
function withChange(changes: Commit['changes'], id: string, state: Commit['changes'][string] | undefined) {
  const { [id]: _, ...others } = changes;
  const all = [...Object.entries(others), ...(state === undefined ? [] : [[id, state] as const])];
  return Object.fromEntries(all.slice(-caps.changes));
}

/** A rebased change comes as several commits: those of the push that ends in its merge are reviewed with it. */
function cover(context: Context, repository: string, key: string, commit: Commit): void {
  if (commit.carried.length === 0 || !Object.values(commit.changes).some((state) => state !== 'approved')) return;
  askAgain(context, 'cover', [key, ...commit.carried.map((revision) => commitKey(repository, revision))]);
}

/** Judges keys that the present event does not name: by a timer that is due at once. */
function askAgain(context: Context, what: string, keys: string[]): void {
  context.setTimer({ id: `${what} ${keys.slice(0, 2).join(' ')}`, dueMs: context.nowMs, keys });
}

function due(timer: Timer, context: Context): void {
  const [key, other] = timer.keys as [string, string];
  const what = timer.id.split(' ', 1)[0];
  if (what === 'follow') {
    follow(context, key, other.slice(other.lastIndexOf('#') + 1), getChange(context, other));
    return;
  }
  const commit = getCommit(context, key);
  if (what === 'cover') {
    const merged = Object.values(commit.changes).includes('merged');
    for (const carried of timer.keys.slice(1)) {
      const { coveredBy: _, ...rest } = getCommit(context, carried);
      review(context, carried, merged ? { ...rest, coveredBy: partsOf(key).revision } : rest);
    }
    return;
  }
  if (what === 'untrust') {
    const { trusted: _, ...rest } = commit;
    review(context, key, rest);
    return;
  }
  review(context, key, commit);
}

/** Decides all runs of a commit by what is now known of it, and keeps it. */
function review(context: Context, key: string, commit: Commit): void {
  const excess = commit.runs.length - caps.runs;
  let runs = commit.runs;
  if (runs.length > 0) {
    const { repository, revision } = partsOf(key);
    const decided = runs
      .map((run, place) => decide(context, { key, repository, revision, commit, run, last: place < excess }))
      .filter((run) => run !== undefined);
    if (decided.length !== runs.length || decided.some((run, place) => run !== runs[place])) runs = decided;
  }
  const kept = excess > 0 ? runs.slice(-caps.runs) : runs;
  context.set(key, kept === commit.runs ? commit : { ...commit, runs: kept }, keepMs.commit);
}

type Case = { key: string; repository: string; revision: string; commit: Commit; run: Run; last: boolean };

/** The run as it is to be kept; undefined when it is of no interest. */
function decide(context: Context, { key, repository, revision, commit, run, last }: Case): Run | undefined {
  const { settings, nowMs } = context;
  const occasion = `${run.id}/${run.attempt}`;
  const timerId = `hold ${occasion}`;
  const of = { subject: `${repository}@${revision}`, occasion };
  const why = reasonOf(commit, run, settings);
  const fine =
    why === undefined
      ? 'the run is none that needs a review'
      : (reviewedBy(commit, run) ?? (isExempt(commit, run, settings) ? 'its pusher is exempt' : undefined));
  if (fine !== undefined) {
    if (run.fired) context.withdraw({ ...of, reason: fine });
    else context.clearTimer(timerId);
    // What explains it may itself be taken back, as an approval that is dismissed.
    const explained = run.fired ? { ...run, fired: false } : run;
    // A run of a pull request may yet be given secrets or a runner, and a push may turn out to be a tag's.
    const mayMatter =
      commit.pushes.length === 0 ||
      (run.trigger === undefined ? run.selfHosted : run.trigger.startsWith('pull_request'));
    return why !== undefined || run.fired || mayMatter ? explained : undefined;
  }
  if (run.fired) return run;
  const at = branchKey(repository, run.ref);
  const branch = context.holds(at) ? getBranch(context, at) : undefined;
  const merging = branch === undefined || branch.approved.some((change) => change.untilMs > nowMs);
  const positive = knownUnreviewed(commit, run) || commit.answer === 'unreviewed';
  if (!last && nowMs < run.dueMs && (merging || !positive)) {
    // Whether a merge is on its way stands under the branch; where this moment does not hold it, the next one will.
    const dueMs = branch === undefined && positive ? nowMs : run.dueMs;
    context.setTimer({ id: timerId, dueMs, keys: [key, at] });
    context.lookUp(question(repository, revision));
    return run;
  }
  // Whatever stood there before Tripline heard of the branch counts as reviewed, as long as nothing says otherwise.
  const past = branch?.inventoried === true || (branch?.first !== undefined && branch.first.timeMs < run.timeMs);
  const unheard = commit.pushes.length === 0 && Object.keys(commit.changes).length === 0 && !positive;
  if (unheard && run.protectedRef && !past) {
    if (branch && !branch.unheard.includes(revision)) {
      context.set(at, { ...branch, unheard: [...branch.unheard, revision].slice(-branchCaps.unheard) }, keepMs.branch);
    }
    return run;
  }
  context.clearTimer(timerId);
  context.find({ ...of, ...draftOf(repository, revision, commit, run, why!, unheard) });
  return { ...run, fired: true };
}

/** One question a commit: its id is made of what is asked. */
function question(repository: string, revision: string) {
  const asked = { kind: 'reviews-of-commit' as const, repository, revision };
  return { id: createHash('sha256').update(JSON.stringify(asked)).digest('hex'), ...asked };
}

export const rule = defineRule<State, BuildSettings>({
  id: 'build-from-unreviewed-commit',
  title: 'Build of a commit that nobody else reviewed',
  description:
    'A build of a protected ref or tag, a deployment, or a run with secrets is on a commit that no merged change with a live approval by somebody else brought in. ' +
    'The approval must be of the last commit, by a person (owner, member or collaborator) who is neither its author nor its last pusher, and not dismissed. ' +
    'The commit is followed through squash, merge, rebase and merge queue. A push that nobody could have reviewed is judged at once; one that a merge may explain is held for `holdMs` and asked of the provider. ' +
    'Runs of pull requests are found only with secrets, an environment or a self-hosted runner. A review that is heard of late takes the finding back. ' +
    'At most 20 runs are held for one commit; beyond that the oldest is judged by what is known.',
  severity: 'high',
  confidence: 'high',
  principles: [2],
  attack: ['T1677', 'T1195.002'],
  owasp: ['CICD-SEC-1', 'CICD-SEC-4'],
  tiers: { needs: 'A', better: 'API access, so that commits from before the first delivery can be asked about' },
  falseAlarms: [
    'Bots that push releases or dependency updates: name them in `exemptActors`.',
    'Hotfixes pushed straight to a protected branch: that is what it is for; let somebody approve afterwards and silence the finding.',
    'Preview environments that every branch deploys to: `exemptEnvironments`.',
    'Pull requests on self-hosted runners as a rule of the house: `pullRequestsMay: [self-hosted]`.',
    'Tags on commits from before Tripline, without API access: low confidence; configure a token or App.',
  ],
  reads: [
    'dev.cdeventsx.tripline-inventory.observed',
    'dev.cdeventsx.tripline-ref.pushed',
    ...changeTypes,
    'dev.cdeventsx.tripline-change.looked-up',
    'dev.cdeventsx.tripline-mergegroup.requested',
    ...runTypes,
  ],
  settings: buildSettings as z.ZodType<BuildSettings>,
  state: z.union([repositorySchema, branchSchema, commitSchema, changeSchema]),
  learns: false,
  keys,
  judge,
  due,
});
