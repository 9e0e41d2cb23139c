import { z } from 'zod';
import { type Instant, identifier, text, toMs } from '../untrusted.ts';
import { bodyOf, flag, maybe, number, revisionOf, splitRef, string } from './body.ts';
import { defineEvent } from './family.ts';

/** Paths of files that configure CI, of any provider. */
const ciPath =
  /^\.github\/(workflows|actions)\/|(^|\/)action\.ya?ml$|^\.github\/(dependabot\.ya?ml|CODEOWNERS)$|^(docs\/)?CODEOWNERS$|^\.gitlab-ci\.ya?ml$|^\.gitlab\/ci\/|^\.(buildkite|circleci|woodpecker|tekton)\/|^\.(drone|travis|woodpecker)\.ya?ml$|^(azure|bitbucket)-pipelines\.ya?ml$|(^|\/)Jenkinsfile/;

const person = z.object({ name: maybe, username: maybe, email: maybe }).nullish();
const paths = z.array(string).nullish();
const commit = z.object({
  id: number,
  message: maybe,
  author: person,
  committer: person,
  added: paths,
  removed: paths,
  modified: paths,
});
type Commit = z.infer<typeof commit>;

/** GitHub's login of a commit's author where it knows one, otherwise the name that the commit claims. */
function nameOf(somebody: z.infer<typeof person>, limit: number): string {
  return text(somebody?.username ?? somebody?.name, limit) ?? '';
}

/** The account's id in GitHub's noreply addresses. Undefined for any other address. */
function idInAddress(email: string | null | undefined): string | undefined {
  return /^(\d{1,20})\+[^@\s]+@users\.noreply\.[^@\s]+$/.exec(email ?? '')?.[1];
}

/**
 * The pushed commits, within the size limit of a record: a push may have 2,048 commits, whose texts the pusher chooses.
 * The more commits there are, the shorter their texts are cut; no commit is dropped.
 */
function commitsOf(commits: readonly Commit[]) {
  const share = Math.min(4096, Math.floor(49_152 / Math.max(1, commits.length)));
  let pathsLeft = 200;
  return commits.slice(0, 2048).map((pushed) => {
    const touched = [...(pushed.added ?? []), ...(pushed.removed ?? []), ...(pushed.modified ?? [])];
    const ciPaths = touched.filter((path) => ciPath.test(path)).slice(0, pathsLeft);
    pathsLeft -= ciPaths.length;
    const ciAdded = ciPaths.length > 0 && (pushed.added ?? []).some((path) => ciPath.test(path));
    const authorId = idInAddress(pushed.author?.email);
    const authorEmail = text(pushed.author?.email, Math.min(256, share));
    return {
      revision: revisionOf(typeof pushed.id === 'number' ? String(pushed.id) : pushed.id) ?? '',
      author: nameOf(pushed.author, Math.min(256, share)),
      ...(authorId === undefined ? {} : { authorId }),
      ...(authorEmail === undefined ? {} : { authorEmail }),
      committer: nameOf(pushed.committer, Math.min(256, share)),
      message: text(pushed.message, share) ?? '',
      ciPaths: ciPaths.map((path) => text(path, 200)!),
      ...(ciAdded ? { ciAdded } : {}),
      pathCount: touched.length,
    };
  });
}

/**
 * When GitHub received the push. `head_commit.timestamp` is chosen by the pusher, so it is not used. Undefined, which
 * stands for the time of receipt, when GitHub's time is later than that.
 */
function pushedAt(pushed: Instant, receivedAtMs: number): Instant {
  const ms = toMs(pushed);
  return ms !== undefined && ms <= receivedAtMs + 5 * 60_000 ? pushed : undefined;
}

export const push = defineEvent({
  marks: ['ref', 'before', 'after', 'commits', 'pusher'],
  carries: ['base_ref', 'head_commit', 'compare', 'created', 'deleted', 'forced'],
  schema: bodyOf({
    ref: string,
    before: maybe,
    after: maybe,
    created: flag,
    deleted: flag,
    forced: flag,
    base_ref: maybe,
    commits: z.array(commit).nullish(),
    head_commit: z.object({ id: maybe, message: maybe, committer: person }).nullish(),
    pusher: z.object({ name: maybe }).nullish(),
  }),
  normalise(body, received) {
    const ref = splitRef(body.ref);
    if (!ref) return 'incomplete';
    return {
      type: 'dev.cdeventsx.tripline-ref.pushed',
      time: pushedAt(body.repository?.pushed_at, received.atMs),
      data: {
        'vcs.ref.head.name': text(ref.name),
        'vcs.ref.head.type': ref.type,
        'vcs.ref.head.revision': revisionOf(body.after),
        'vcs.ref.base.name': text(body.base_ref ? (splitRef(body.base_ref)?.name ?? body.base_ref) : undefined),
        'tripline.ref.before': revisionOf(body.before),
        'tripline.ref.created': body.created ?? undefined,
        'tripline.ref.deleted': body.deleted ?? undefined,
        'tripline.ref.forced': body.forced ?? undefined,
        'tripline.push.commits': commitsOf(body.commits ?? []),
        'tripline.push.commit_count': body.commits?.length,
        'tripline.push.pusher': text(body.pusher?.name),
        'tripline.push.pusher_id': identifier(body.sender?.id),
        'tripline.push.head_revision': revisionOf(body.head_commit?.id),
        'tripline.push.head_committer': text(
          body.head_commit?.committer?.username ?? body.head_commit?.committer?.name,
        ),
        'tripline.push.head_message': text(body.head_commit?.message, 1024),
      },
    };
  },
});

const refBody = { ref: string, ref_type: string, pusher_type: maybe };

export const create = defineEvent({
  marks: ['ref', 'ref_type', 'pusher_type', 'master_branch'],
  schema: bodyOf(refBody),
  normalise(body, received) {
    if (body.ref_type !== 'branch' && body.ref_type !== 'tag') return undefined;
    return {
      type: body.ref_type === 'tag' ? 'dev.cdeventsx.tripline-tag.created' : 'dev.cdevents.branch.created',
      time: pushedAt(body.repository?.pushed_at, received.atMs),
      data: { 'vcs.ref.head.name': text(body.ref), 'vcs.ref.head.type': body.ref_type },
    };
  },
});

export const deleteEvent = defineEvent({
  marks: ['ref', 'ref_type', 'pusher_type'],
  schema: bodyOf(refBody),
  normalise(body, received) {
    if (body.ref_type !== 'branch' && body.ref_type !== 'tag') return undefined;
    return {
      type: body.ref_type === 'tag' ? 'dev.cdeventsx.tripline-tag.deleted' : 'dev.cdevents.branch.deleted',
      time: pushedAt(body.repository?.pushed_at, received.atMs),
      data: { 'vcs.ref.head.name': text(body.ref), 'vcs.ref.head.type': body.ref_type },
    };
  },
});
