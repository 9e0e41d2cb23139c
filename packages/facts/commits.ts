import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, observedBy } from './bounds.ts';
import { isEarlier, keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import {
  accountOf,
  accountSchema,
  authorOf,
  commitKeyIn,
  isOfRun,
  repositoryKeyOf,
  runKeyOf,
  runTypes,
} from './things.ts';

const dayMs = 86_400_000;
/** Most commits of one push that are kept separately: of a longer push the newest. */
const mostListed = 100;

const pushedCommitSchema = z.object({
  revision: z.string(),
  author: z.string(),
  authorId: z.string().optional(),
  committer: z.string(),
});
const pushSchema = observedSchema.extend({
  ref: z.string(),
  type: z.enum(['branch', 'tag']),
  /** The ref's commit after the push; the commit itself unless it came in beneath it. */
  tip: z.string(),
  before: z.string().optional(),
  forced: z.boolean(),
  created: z.boolean(),
  by: accountSchema.optional(),
  /** Only for the tip: the commits that came in, oldest first. Absent where the provider listed none. */
  commits: z.array(pushedCommitSchema).optional(),
  /** Whether `commits` are all that came in. */
  whole: z.boolean(),
  /** Files that configure CI, of all that came in. */
  ciPaths: z.array(z.string()),
  /** The tip's first words. */
  message: z.string(),
  /** When it was received, ms of the log's time; absent in what former versions kept. Nothing final may follow from it. */
  heardMs: z.number().optional(),
});
const ofChangeSchema = observedSchema.extend({
  change: z.string(),
  /** It is the change's head, the commit that its merge put on the base, or one of those that it consists of. */
  as: z.enum(['head', 'merge', 'part']),
  /** From another repository. */
  fork: z.boolean(),
  author: z.string(),
  /** The bound that applies to it. */
  kept: z.string(),
});
const groupSchema = observedSchema.extend({
  base: z.string(),
  changes: z.array(z.string()),
  baseRevision: z.string().optional(),
});
/** `run`: the key of the first run in the fact `runs`; absent in what former versions kept. */
const builtSchema = observedSchema.extend({ ref: z.string(), run: z.string().optional() });
const answerSchema = observedSchema.extend({
  found: z.boolean(),
  parents: z.array(z.string()),
  author: accountSchema.optional(),
  committer: z.string(),
  verified: z.boolean(),
});
export const commitSchema = z.object({
  pushes: z.array(pushSchema),
  changes: z.array(ofChangeSchema),
  /** Groups of a merge queue of which it is the head. */
  groups: z.array(groupSchema),
  /** Refs on which a run built it, the first run of each. */
  built: z.array(builtSchema),
  /** What the provider's API said of it. */
  answers: z.array(answerSchema),
  /** More merged changes contain it than are kept. */
  crowded: z.literal(true).optional(),
});
export type Commit = z.infer<typeof commitSchema>;
export type Push = z.infer<typeof pushSchema>;

/** As which the provider's own pages commit, as they do in a merge. */
const pages = 'web-flow';
/** Whether its tip says that the provider's own pages made it; whoever pushes can write so. */
export const isByPages = ({ commits }: Pick<Push, 'commits'>): boolean => commits?.at(-1)?.committer === pages;
/** The same of one commit that it brought; undefined where it does not list it. */
export function isSaidByPages(push: Pick<Push, 'commits'> | undefined, revision: string): boolean | undefined {
  const committer = push?.commits?.find((one) => one.revision === revision)?.committer;
  return committer === undefined ? undefined : committer === pages;
}
/** Whether the provider's API says that its own pages made a commit. */
export const isProvedByPages = ({ committer, verified }: { committer: string; verified: boolean }): boolean =>
  verified && committer === pages;
/** Whether it was tagged as `name` by `ms` of the provider's time. */
export const isTaggedAs = (name: string | undefined, commit: Commit | undefined, ms: number): boolean =>
  commit?.pushes.some(({ type, ref, time }) => type === 'tag' && ref === name && parseTime(time) <= ms) === true;

const nothing: Commit = { pushes: [], changes: [], groups: [], built: [], answers: [] };

const nameOfPush = ({ type, ref, tip }: Push): string => `${type} ${ref} ${tip}`;
const pushes: Bound<Push> = {
  kind: 'pushes',
  authorOf: ({ by, type, ref }) => `${authorOf(by)} ${type} ${ref}`,
  mostPerAuthor: 4,
  most: 400,
  nameOf: nameOfPush,
};
type OfChange = Commit['changes'][number];
const nameOfChange = ({ change, as }: OfChange): string => `${as} ${change}`;
/** Outsiders can open any number of changes from forks; those never displace the organisation's own. */
const ownChanges: Bound<OfChange> = {
  kind: 'changes',
  authorOf: ({ author }) => author,
  mostPerAuthor: 20,
  most: 100,
  nameOf: nameOfChange,
};
/** Whoever made the commit opens the first of them: strangers who open more of the same push out none before theirs. */
const forkChanges: Bound<OfChange> = {
  ...ownChanges,
  ...{ kind: 'changes from forks', mostPerAuthor: 5, most: 50, first: true },
};
/** When a head gets into a branch, the provider marks every change with that head as merged. */
const mergedChanges: Bound<OfChange> = { ...ownChanges, kind: 'merged changes', mostPerAuthor: 5 };
/** The provider lists only a few, which outsiders' changes never displace. */
const answeredChanges: Bound<OfChange> = {
  ...ownChanges,
  kind: 'answered changes',
  authorOf: () => '',
  mostPerAuthor: 100,
};
const boundOf = new Map([ownChanges, forkChanges, mergedChanges, answeredChanges].map((bound) => [bound.kind, bound]));
const groups: Bound<Commit['groups'][number]> = {
  kind: 'merge groups',
  authorOf: () => '',
  mostPerAuthor: 10,
  most: 10,
};
const built: Bound<Commit['built'][number]> = {
  kind: 'builds',
  authorOf: ({ ref }) => ref,
  mostPerAuthor: 1,
  most: 50,
  nameOf: ({ ref }) => ref,
};
const answers: Bound<Commit['answers'][number]> = {
  kind: 'answers',
  authorOf: () => '',
  mostPerAuthor: 3,
  most: 3,
  rolls: 'all',
};

const changeTypes = [
  'dev.cdevents.change.created',
  'dev.cdevents.change.updated',
  'dev.cdevents.change.reviewed',
  'dev.cdevents.change.merged',
] as const;
const isChange = eventIs(...changeTypes);

export const commits: Fact<Commit> = {
  id: 'commits',
  description:
    'A commit and its ways in: pushes whose head it was or that brought it along, changes of which it is the head or the merge, groups of a merge queue, and what the provider’s API says of it. ' +
    'Of a push of more than 100 commits the newest 100 are told apart.',
  reads: [
    'dev.cdeventsx.tripline-ref.pushed',
    ...changeTypes,
    'dev.cdeventsx.tripline-mergegroup.requested',
    'dev.cdeventsx.tripline-change.looked-up',
    ...runTypes,
  ] satisfies readonly EventType[],
  value: commitSchema,
  keys(event) {
    const repository = repositoryKeyOf(event);
    if (repository === undefined) return none;
    if (isOfRun(event)) {
      const { 'vcs.ref.head.revision': head }: Attributes = event.data;
      return head === undefined ? none : [commitKeyIn(repository, head)];
    }
    return [...new Set(revisionsOf(event))].map((revision) => commitKeyIn(repository, revision));
  },
  learn,
  keepMs: 180 * dayMs,
};

const none: readonly string[] = [];
const isZero = (revision: string): boolean => /^0+$/.test(revision);
/** A ref's commit after a push: an annotated tag has an object of its own, and names the commit separately. */
function tipOf(event: LoggedEvent<'dev.cdeventsx.tripline-ref.pushed'>): string {
  return event.data['tripline.push.head_revision'] ?? event.data['vcs.ref.head.revision'];
}

function revisionsOf(event: LoggedEvent): string[] {
  const data: Attributes = event.data;
  const head = data['vcs.ref.head.revision'];
  if (isEvent(event, 'dev.cdeventsx.tripline-ref.pushed')) {
    if (data['tripline.ref.deleted'] === true || isZero(event.data['vcs.ref.head.revision'])) return [];
    const listed = (data['tripline.push.commits'] ?? []).slice(-mostListed).map(({ revision }) => revision);
    return [tipOf(event), ...listed.filter((revision) => revision !== '')];
  }
  if (isChange(event)) {
    const merge = data['tripline.change.merge_revision'];
    return [...(head === undefined ? [] : [head]), ...(merge === undefined ? [] : [merge])];
  }
  if (isEvent(event, 'dev.cdeventsx.tripline-change.looked-up')) {
    const answered = data['tripline.lookup.changes'] ?? [];
    const told = answered.flatMap(({ headRevision, mergeRevision }) => [headRevision, mergeRevision ?? headRevision]);
    return [event.data['vcs.ref.head.revision'], ...told];
  }
  return head === undefined ? [] : [head];
}

function learn(known: Commit | undefined, event: LoggedEvent, at: LearnContext): Commit | undefined {
  const data: Attributes = event.data;
  const before = known ?? nothing;
  const revision = at.key.slice(at.key.lastIndexOf('@') + 1);
  let next = before;
  const add = <Name extends Exclude<keyof Commit, 'crowded'>>(
    name: Name,
    told: Commit[Name][number],
    bound: Bound<never>,
  ): void => {
    const kept = keepBounded(next[name] as never[], told as never, bound, at) as readonly unknown[];
    if (kept !== (next[name] as readonly unknown[])) next = { ...next, [name]: kept };
  };
  const addChange = (told: Omit<OfChange, keyof ReturnType<typeof observedBy> | 'kept'>): void => {
    const isKnown = (one: OfChange) => one.change === told.change && one.as === told.as;
    const earlier = next.changes.find(isKnown);
    const isMerged = told.as === 'merge' || event.type === 'dev.cdevents.change.merged';
    const isAnswered =
      event.type === 'dev.cdeventsx.tripline-change.looked-up' || earlier?.kept === answeredChanges.kind;
    const bound = !told.fork ? ownChanges : isAnswered ? answeredChanges : isMerged ? mergedChanges : forkChanges;
    const isFirst = isEarlier(event, earlier);
    if (!isFirst && (bound !== answeredChanges || earlier!.kept === bound.kind)) return;
    const mine = next.changes.filter((one) => boundOf.get(one.kept) === bound && one !== earlier);
    const one = isFirst
      ? inPlaceOf(earlier, { ...observedBy(event), ...told, kept: bound.kind }, at.pinned)
      : { ...earlier!, kept: bound.kind };
    const kept = keepBounded(mine, one, bound, {
      pinned: at.pinned,
      flooded: (kind, author) => {
        at.flooded(kind, author);
        if (bound === mergedChanges) next = { ...next, crowded: true };
      },
    });
    if (kept === mine) return;
    const others = next.changes.filter((one) => boundOf.get(one.kept) !== bound && one !== earlier);
    next = { ...next, changes: [...others, ...kept].sort(inOwnOrder) };
  };
  if (isOfRun(event)) {
    const name = data['vcs.ref.head.name'];
    const isPull =
      data['tripline.pipeline.trigger']?.startsWith('pull_request') === true || data['tripline.head.fork'] === true;
    if (name === undefined || isPull) return known;
    const ref = clip(name, 300);
    const isSame = (one: Commit['built'][number]) => one.ref === ref;
    // Most events of a run repeat the first.
    const former = next.built.find(isSame);
    if (former !== undefined && !isEarlier(event, former)) return known;
    const run = runKeyOf(event);
    const told = { ...observedBy(event), ref, ...(run === undefined ? {} : { run }) };
    const kept = keepEarliest(next.built, told, isSame, built, at);
    if (kept !== next.built) next = { ...next, built: [...kept] };
  } else if (isEvent(event, 'dev.cdeventsx.tripline-ref.pushed')) {
    const told = { ...pushOf(event, revision), heardMs: at.nowMs };
    // The first report counts: a repeated delivery must not make findings unproven that rest on it.
    if (!next.pushes.some((one) => one.time === told.time && nameOfPush(one) === nameOfPush(told)))
      add('pushes', told, pushes as Bound<never>);
  } else if (isChange(event)) {
    const told = {
      change: data['vcs.change.id']!,
      fork: data['tripline.head.fork'] === true,
      author: data['tripline.change.author_id'] ?? data['tripline.change.author'] ?? '',
    };
    if (data['tripline.change.merge_revision'] === revision) addChange({ ...told, as: 'merge' });
    if (data['vcs.ref.head.revision'] === revision) addChange({ ...told, as: 'head' });
  } else if (isEvent(event, 'dev.cdeventsx.tripline-change.looked-up')) {
    if (event.data['vcs.ref.head.revision'] === revision) add('answers', answerOf(event), answers as Bound<never>);
    for (const { id, headRevision, mergeRevision, fork, author, authorId, commits } of data[
      'tripline.lookup.changes'
    ] ?? []) {
      const told = { change: id, fork: fork === true, author: authorId ?? author };
      if (mergeRevision === revision) addChange({ ...told, as: 'merge' });
      if (headRevision === revision) addChange({ ...told, as: 'head' });
      else if (commits?.some((one) => one.revision === revision) === true) addChange({ ...told, as: 'part' });
    }
  } else {
    const {
      'vcs.ref.base.name': base = '',
      'vcs.ref.base.revision': baseRevision,
      'tripline.change.ids': ids = [],
    } = data;
    const told = {
      ...observedBy(event),
      base,
      changes: ids.slice(0, 20),
      ...(baseRevision === undefined ? {} : { baseRevision }),
    };
    add('groups', told, groups as Bound<never>);
  }
  return next === before ? known : next;
}

function pushOf(event: LoggedEvent<'dev.cdeventsx.tripline-ref.pushed'>, revision: string): Push {
  const { data } = event;
  const listed = data['tripline.push.commits'];
  const tip = tipOf(event);
  const by = accountOf(
    data['tripline.push.pusher'] ?? data['user.name'],
    data['tripline.push.pusher_id'] ?? data['user.id'],
    data['user.type'],
  );
  const before = data['tripline.ref.before'];
  const own = listed?.find((one) => one.revision === revision);
  const told = listed?.slice(-mostListed).map(({ revision, author, authorId, committer }) => ({
    revision,
    author: clip(author, 100),
    committer: clip(committer, 100),
    ...(authorId === undefined ? {} : { authorId }),
  }));
  const url = data['vcs.repository.url.full'];
  const ciPaths = tip === revision ? (listed ?? []).flatMap((pushed) => pushed.ciPaths) : (own?.ciPaths ?? []);
  return {
    ...observedBy(event, url && `${url}/commit/${tip}`),
    ref: clip(data['vcs.ref.head.name'], 300),
    type: data['vcs.ref.head.type'],
    tip,
    ...(before === undefined ? {} : { before }),
    forced: data['tripline.ref.forced'] === true,
    created: data['tripline.ref.created'] === true || (before !== undefined && isZero(before)),
    ...(by === undefined ? {} : { by }),
    ...(told === undefined || tip !== revision ? {} : { commits: told }),
    whole: listed !== undefined && listed.length <= mostListed,
    ciPaths: [...new Set(ciPaths)].slice(0, 20).map((path) => clip(path, 200)),
    message: clip((tip === revision ? data['tripline.push.head_message'] : own?.message) ?? '', 60),
  };
}

function answerOf(event: LoggedEvent<'dev.cdeventsx.tripline-change.looked-up'>): Commit['answers'][number] {
  const { 'tripline.lookup.commit': commit, 'tripline.lookup.outcome': outcome } = event.data;
  const author = commit && accountOf(commit.author, commit.authorId, commit.authorType);
  return {
    ...observedBy(event),
    found: outcome === 'found',
    parents: commit?.parents.slice(0, 20) ?? [],
    committer: commit?.committer ?? '',
    verified: commit?.verified ?? false,
    ...(author === undefined ? {} : { author }),
  };
}
