import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, manyAuthors, observedBy } from './bounds.ts';
import { isEarlier, keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountOf, accountSchema, authorOf, changeKeyIn, repositoryKeyOf, senderOf } from './things.ts';
import { permits } from './writers.ts';

const dayMs = 86_400_000;

const headSchema = observedSchema.extend({
  revision: z.string(),
  before: z.string().optional(),
  by: accountSchema.optional(),
});
const reviewSchema = observedSchema.extend({
  id: z.string(),
  by: accountSchema.optional(),
  association: z.string(),
  state: z.enum(['approved', 'changes_requested', 'dismissed']),
  revision: z.string(),
  /** When it was submitted, or taken back; ms by the provider's clock. */
  atMs: z.number(),
  /** The base at that moment; absent where only the API reported the review. */
  base: z.string().optional(),
  /** The API says that they may write. */
  writes: z.literal(true).optional(),
});
const mergedSchema = observedSchema.extend({
  head: z.string(),
  revision: z.string().optional(),
  base: z.string(),
  atMs: z.number(),
  by: accountSchema.optional(),
  commitCount: z.number().optional(),
});
const commitSchema = z.object({
  revision: z.string(),
  parents: z.array(z.string()),
  author: accountSchema.optional(),
  committer: z.string(),
  verified: z.boolean(),
});
const listedSchema = observedSchema.extend({ head: z.string(), commits: z.array(commitSchema) });
export const changeSchema = z.object({
  author: accountSchema.optional(),
  fork: z.boolean(),
  /** The branch that it comes from. */
  branch: z.string().optional(),
  /** Whether its opening was received: if not, earlier events may be missing. */
  opened: observedSchema.optional(),
  heads: z.array(headSchema),
  /** Who brought heads that are kept no more, by id; `many` where they are too many to name. */
  letGo: z.array(z.string()).optional(),
  reviews: z.array(reviewSchema),
  merged: z.array(mergedSchema),
  /** Its commits as the API listed them. */
  listed: z.array(listedSchema),
  /** More outsiders reviewed it than are kept. */
  crowded: z.literal(true).optional(),
});
export type Change = z.infer<typeof changeSchema>;
export type Review = z.infer<typeof reviewSchema>;

type Head = Change['heads'][number];
const isSameHead = (a: Head, b: Head): boolean => a.revision === b.revision && a.before === b.before;
/**
 * Of what one author brought the latest stay, and that is no flood: `letGo` names them for what is kept no more, and what was
 * approved or merged stays. Whoever pushes fifty commits one by one hides nothing by it.
 */
const heads: Bound<Head> = {
  kind: 'heads',
  authorOf: ({ by }) => authorOf(by),
  mostPerAuthor: 40,
  most: 120,
  rolls: 'each',
  nameOf: ({ revision }) => revision,
};
/** Whoever brings the branch of a fork chooses who else may: so many are named. */
const mostLetGo = 100;
/** Anybody may review a public change; reviews by outsiders never displace those of the organisation's people. */
const nameOfReview = ({ id, state }: Review): string => `${id} ${state}`;
const reviews: Bound<Review> = {
  kind: 'reviews',
  authorOf: ({ by }) => authorOf(by),
  mostPerAuthor: 30,
  most: 300,
  nameOf: nameOfReview,
};
const strangersReviews: Bound<Review> = { ...reviews, kind: 'reviews by strangers', mostPerAuthor: 3, most: 60 };
const merged: Bound<Change['merged'][number]> = { kind: 'merges', authorOf: () => '', mostPerAuthor: 3, most: 3 };
const listed: Bound<Change['listed'][number]> = {
  kind: 'answers',
  authorOf: () => '',
  mostPerAuthor: 2,
  most: 2,
  rolls: 'all',
};
/** Whether somebody brought a head that is kept no more, or may have. */
export function isLetGo({ letGo }: Change, account: Account): boolean {
  return letGo?.some((one) => one === manyAuthors || one === authorOf(account) || one === nameOf(account)) === true;
}
const nameOf = ({ login }: Account): string => authorOf({ login });

const ofTheHouse = new Set(['OWNER', 'MEMBER', 'COLLABORATOR']);
const isOfHouse = ({ association, writes }: Review): boolean => ofTheHouse.has(association) || writes === true;

const reads = [
  'dev.cdevents.change.created',
  'dev.cdevents.change.updated',
  'dev.cdevents.change.reviewed',
  'dev.cdevents.change.merged',
  'dev.cdeventsx.tripline-change.looked-up',
] as const satisfies readonly EventType[];

export const changes: Fact<Change> = {
  id: 'changes',
  description:
    'A change (pull request): who opened it, which heads it had and who brought them, who said what of which head and when, and its merge. ' +
    'Webhooks do not list its commits; the provider’s API does.',
  reads,
  value: changeSchema,
  keys(event) {
    const data: Attributes = event.data;
    const repository = repositoryKeyOf(event);
    if (repository === undefined) return [];
    const ids = isEvent(event, 'dev.cdeventsx.tripline-change.looked-up')
      ? (data['tripline.lookup.changes'] ?? []).map(({ id }) => id)
      : [data['vcs.change.id']!];
    return [...new Set(ids)].map((id) => changeKeyIn(repository, id));
  },
  learn,
  keepMs: 180 * dayMs,
};

/**
 * All events carry the same value; if two differ, as after a renaming, the choice does not depend on the order of
 * arrival.
 */
const isFirst = <T>(told: T | undefined, known: T | undefined): boolean =>
  told !== undefined && (known === undefined || JSON.stringify(told) < JSON.stringify(known));

const nothing: Change = { fork: false, heads: [], reviews: [], merged: [], listed: [] };

function learn(known: Change | undefined, event: LoggedEvent, at: LearnContext): Change | undefined {
  const data: Attributes = event.data;
  let next = known ?? nothing;
  const addMerged = (told: Change['merged'][number]): void => {
    const isSame = (one: Change['merged'][number]) => one.base === told.base && one.head === told.head;
    const kept = keepEarliest(next.merged, told, isSame, merged, at);
    if (kept !== next.merged) next = { ...next, merged: [...kept] };
  };
  const addReview = (told: Review): void => {
    let review = told;
    // After the merge no review counts any more, and outsiders' could displace those that do.
    if (!isOfHouse(review) && next.merged.length > 0 && next.merged.every(({ atMs }) => review.atMs > atMs + 1000))
      return;
    // A review from the API is the same as the one from a webhook, which has more detail; a dismissal is separate.
    const place = next.reviews.findIndex((one) => one.id === review.id && one.state === review.state);
    const before = next.reviews[place];
    const isBetter =
      before !== undefined && (before.base === undefined) === (review.base === undefined)
        ? isEarlier(review, before)
        : review.base !== undefined;
    const writes = review.writes ?? before?.writes;
    if (before !== undefined && !isBetter && before.writes === writes) return;
    if (before !== undefined) {
      review = isBetter ? inPlaceOf(before, told, at.pinned) : before;
      if (writes !== undefined) review = { ...review, writes };
      next = { ...next, reviews: next.reviews.toSpliced(place, 1) };
    }
    const mine = next.reviews.filter((one) => isOfHouse(one) === isOfHouse(review));
    const bound = isOfHouse(review) ? reviews : strangersReviews;
    const kept = keepBounded(mine, review, bound, {
      ...at,
      flooded: (kind, author) => {
        // Only each reviewer's last review counts, so dropping earlier ones loses nothing.
        if (author !== manyAuthors) return;
        at.flooded(kind, author);
        next = { ...next, crowded: true };
      },
    });
    if (kept === mine) return;
    const others = next.reviews.filter((one) => isOfHouse(one) !== isOfHouse(review));
    next = { ...next, reviews: [...others, ...kept].sort(inOwnOrder) };
  };
  const learnHead = (author: Change['author'], fork: boolean, branch: string | undefined): void => {
    if (isFirst(author, next.author)) next = { ...next, author: author! };
    if (fork && !next.fork) next = { ...next, fork };
    if (isFirst(branch, next.branch)) next = { ...next, branch: branch! };
  };
  if (isEvent(event, 'dev.cdeventsx.tripline-change.looked-up')) {
    const number = at.key.slice(at.key.lastIndexOf('!') + 1);
    for (const answered of data['tripline.lookup.changes'] ?? []) {
      if (answered.id === number) learnAnswer(answered);
    }
    return next === nothing ? known : next;
  }
  learnHead(
    accountOf(data['tripline.change.author'], data['tripline.change.author_id']),
    data['tripline.head.fork'] === true,
    data['vcs.ref.head.name'],
  );
  const head = data['vcs.ref.head.revision'];
  const base = data['vcs.ref.base.name'] ?? '';
  if (isEvent(event, 'dev.cdevents.change.reviewed')) {
    const state = event.data['tripline.review.state'];
    const submittedAt = data['tripline.review.submitted_at'];
    const by = accountOf(
      data['tripline.review.author'],
      data['tripline.review.author_id'],
      data['tripline.review.author_type'],
    );
    if (state === 'approved' || state === 'changes_requested' || state === 'dismissed') {
      addReview({
        ...observedBy(event),
        ...{ id: event.data['tripline.review.id'], state, revision: event.data['tripline.review.revision'], base },
        association: data['tripline.user.association'] ?? '',
        // A dismissal carries the time of the dismissed review; its own time is the event's.
        atMs: parseTime(state === 'dismissed' ? event.time : (submittedAt ?? event.time)),
        ...(by === undefined ? {} : { by }),
      });
    }
  } else if (isEvent(event, 'dev.cdevents.change.merged')) {
    const revision = data['tripline.change.merge_revision'];
    const by = accountOf(
      data['tripline.change.merged_by'] ?? data['user.name'],
      data['tripline.change.merged_by_id'] ?? data['user.id'],
    );
    const commitCount = data['tripline.change.commit_count'];
    addMerged({
      ...observedBy(event),
      ...{ head: head!, base, atMs: parseTime(event.time) },
      ...(revision === undefined ? {} : { revision }),
      ...(by === undefined ? {} : { by }),
      ...(commitCount === undefined ? {} : { commitCount }),
    });
  } else if (event.type === 'dev.cdevents.change.created' || data['tripline.change.action'] === 'synchronize') {
    const by = senderOf(data);
    const before = data['tripline.ref.before'];
    if (event.type === 'dev.cdevents.change.created' && isEarlier(event, next.opened))
      next = { ...next, opened: inPlaceOf(next.opened, observedBy(event), at.pinned) };
    const told = {
      ...observedBy(event),
      revision: head!,
      ...(before === undefined ? {} : { before }),
      ...(by === undefined ? {} : { by }),
    };
    addHead(told);
  }
  return next === nothing ? known : next;

  function addHead(told: Head): void {
    // Whatever is pushed afterwards, what was approved or merged stays known.
    const stays = ({ revision }: Head) =>
      next.merged.some((one) => one.head === revision) ||
      next.reviews.some((one) => one.revision === revision && isOfHouse(one));
    const former = next.heads;
    const kept = keepEarliest(former, told, (one) => isSameHead(one, told), { ...heads, stays }, at);
    if (kept !== former) next = { ...next, heads: [...kept] };
    if (former.length < heads.mostPerAuthor) return;
    const gone = [...former, told].filter((one) => !kept.some((other) => isSameHead(one, other)));
    if (gone.length === 0) return;
    const by = new Set([...(next.letGo ?? []), ...gone.map((one) => authorOf(one.by))]);
    if (by.size === next.letGo?.length) return;
    next = { ...next, letGo: by.size > mostLetGo ? [manyAuthors] : [...by].sort() };
  }

  function learnAnswer(answered: NonNullable<Attributes['tripline.lookup.changes']>[number]): void {
    learnHead(accountOf(answered.author, answered.authorId), answered.fork === true, answered.headName);
    for (const review of answered.reviews) {
      const state = review.state.toLowerCase();
      if (state !== 'approved' && state !== 'changes_requested' && state !== 'dismissed') continue;
      addReview({
        ...observedBy(event),
        ...{ id: review.id, state, revision: review.revision, association: review.association },
        // The API does not say when it was dismissed: at the latest now.
        atMs: parseTime(state === 'dismissed' ? event.time : review.submittedAt),
        by: accountOf(review.author, review.authorId, review.authorType)!,
        ...(permits(review.permission) ? { writes: true as const } : {}),
      });
    }
    if (answered.state === 'merged') {
      const by = accountOf(answered.mergedBy, answered.mergedById);
      addMerged({
        ...observedBy(event),
        ...{ head: answered.headRevision, base: answered.baseName },
        atMs: answered.mergedAt === undefined ? Number.MAX_SAFE_INTEGER : parseTime(answered.mergedAt),
        ...(answered.mergeRevision === undefined ? {} : { revision: answered.mergeRevision }),
        ...(by === undefined ? {} : { by }),
        ...(answered.commits === undefined ? {} : { commitCount: answered.commits.length }),
      });
    }
    if (answered.commits === undefined) return;
    const told = answered.commits.map(({ revision, parents, author, authorId, authorType, committer, verified }) => {
      const by = accountOf(author || undefined, authorId, authorType);
      return { revision, parents, committer, verified, ...(by === undefined ? {} : { author: by }) };
    });
    const answer = { ...observedBy(event), head: answered.headRevision, commits: told };
    const kept = keepBounded(next.listed, answer, listed, at);
    if (kept !== next.listed) next = { ...next, listed: [...kept] };
  }
}
