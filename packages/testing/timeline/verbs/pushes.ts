import { type Json, type Stage, zeroRevision } from '../stage.ts';
import { type Said, verb } from '../verb.ts';

/** Commits and refs. A push of several commits names them `c1,c2`, oldest first. */
export const pushes = [
  verb('pushes {commits} to {repository} {branch}', (said, stage) => {
    push(said, stage, `refs/heads/${said.the('branch')}`, said.the('commits').split(','));
  }),
  verb('deletes branch {branch} of {repository}', (said, stage) => {
    push(said, stage, `refs/heads/${said.the('branch')}`, []);
  }),
  verb('tags {commit} of {repository} as {tag}', (said, stage) => {
    push(said, stage, `refs/tags/${said.the('tag')}`, [said.the('commit')]);
  }),
  verb('moves tag {tag} of {repository} to {commit}', (said, stage) => {
    push(said, stage, `refs/tags/${said.the('tag')}`, [said.the('commit')], true);
  }),
  verb('deletes tag {tag} of {repository}', (said, stage) => {
    push(said, stage, `refs/tags/${said.the('tag')}`, []);
  }),
];

/** How a commit was made; each of a push's commits alike. */
export type Making = {
  authored?: string | undefined;
  /** Author and, unless `committed` says otherwise, committer, by the no-reply address that bears the account's number. */
  madeAs?: string | undefined;
  committed?: string | undefined;
  touching?: string | undefined;
  /** Files that were not there before. */
  adding?: string | undefined;
  saying?: string | undefined;
  /** The last is a merge that the pusher made by the provider's pages, whatever the others are. */
  underMerge?: boolean | undefined;
};

/**
 * A push. Options: `forced`, `from <commit>` where the ref stood elsewhere than the timeline says, `authored by`,
 * `committed by` (web-flow is GitHub itself), `made as` for both, by GitHub's no-reply address of the account, `saying <message>`, `touching <path>, <path>` and `adding` them, `annotated as <tag object>` of a tag,
 * `under a merge` where the last is one that the pusher made by GitHub's pages.
 */
function push(said: Said, stage: Stage, ref: string, commits: readonly string[], moved = false): void {
  const repository = said.the('repository');
  const from = said.option('from');
  const forced = said.option('forced') !== undefined || moved;
  const annotated = said.option('annotated as');
  const making = {
    authored: said.option('authored by'),
    madeAs: said.option('made as'),
    committed: said.option('committed by'),
    touching: said.option('touching'),
    adding: said.option('adding'),
    saying: said.option('saying'),
    underMerge: said.option('under a merge') !== undefined,
  };
  tellPush(stage, { by: said.who, repository, ref, commits, forced, annotated, ...making, from });
}

export function tellPush(
  stage: Stage,
  of: Making & {
    by: string;
    repository: string;
    ref: string;
    commits: readonly string[];
    forced?: boolean;
    annotated?: string | undefined;
    from?: string | undefined;
  },
): void {
  const place = `ref ${of.repository} ${of.ref}`;
  const before = of.from === undefined ? (stage.kept<string>(place) ?? zeroRevision) : stage.revision(of.from);
  const merge = { committed: 'web-flow', saying: 'Merge pull request', touching: 'src/index.ts' };
  const bodies = of.commits.map((name, nth) =>
    commitBody(stage, name, of.by, of.underMerge && nth === of.commits.length - 1 ? merge : of),
  );
  const head = bodies.at(-1);
  const after = of.annotated === undefined ? (head?.id ?? zeroRevision) : stage.revision(of.annotated);
  stage.keep(place, after);
  stage.github('push', of.by, {
    ref: of.ref,
    before,
    after,
    created: before === zeroRevision,
    deleted: after === zeroRevision,
    forced: of.forced ?? false,
    base_ref: null,
    compare: `https://github.com/${of.repository}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    // GitHub lists no commits of a tag that it knows from a branch.
    commits: of.ref.startsWith('refs/tags/') ? [] : bodies,
    head_commit: head ?? null,
    pusher: { name: of.by, email: addressOf(of.by) },
    repository: stage.repository(of.repository),
  });
}

function commitBody(stage: Stage, name: string, by: string, making: Making): Json & { id: string } {
  const { madeAs } = making;
  const author = madeAs ?? making.authored ?? by;
  const committer = making.committed ?? madeAs ?? by;
  const id = stage.revision(name);
  return {
    ...{
      id,
      tree_id: stage.revision(`tree of ${name}`),
      distinct: true,
      message: making.saying ?? `Make ${name}`,
      timestamp: stage.time(),
    },
    url: `https://github.com/commit/${id}`,
    author: madeAs === undefined ? personOf(author) : { ...personOf(author), email: noReplyOf(author, stage) },
    committer: personOf(committer),
    added: pathsIn(making.adding ?? ''),
    removed: [],
    modified: pathsIn(making.touching ?? (making.adding === undefined ? 'src/index.ts' : '')),
  };
}
const pathsIn = (said: string) => said.split(',').flatMap((path) => path.trim() || []);
const addressOf = (login: string) => (login === 'web-flow' ? 'noreply@github.com' : `${login}@example.com`);
const noReplyOf = (login: string, stage: Stage) => `${stage.user(login).id}+${login}@users.noreply.github.com`;
const personOf = (login: string) => ({
  name: login === 'web-flow' ? 'GitHub' : login,
  email: addressOf(login),
  username: login,
});
