import type { Json, Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';
import { tellPush } from './pushes.ts';

type Change = {
  author: string;
  branch: string;
  head: string;
  base: string;
  fork?: string;
  association: string;
  bot: boolean;
  title?: string;
};

/** Changes (pull requests), as `#7`, and their reviews. */
export const changes = [
  /** Options: `into <base>`, `of fork <owner>`, `titled <title>`, `association <GitHub's word>`; MEMBER unless told otherwise. */
  verb('opens {change} in {repository} from {branch} at {commit}', (said, stage) => {
    const [fork, title] = [said.option('of fork'), said.option('titled')];
    const change: Change = {
      author: said.who,
      branch: said.the('branch'),
      head: said.the('commit'),
      base: said.option('into') ?? 'main',
      association: said.option('association') ?? 'MEMBER',
      bot: said.who.endsWith('[bot]'),
      ...(fork === undefined ? {} : { fork }),
      ...(title === undefined ? {} : { title }),
    };
    keepChange(said, stage, change);
    tellChange(said, stage, 'opened', change);
  }),
  /** GitHub's `synchronize`; the push is a line of its own. */
  verb('updates {change} in {repository} to {commit}', (said, stage) => {
    const former = changeOf(said, stage);
    const change = { ...former, head: said.the('commit') };
    keepChange(said, stage, change);
    const moved = { before: stage.revision(former.head), after: stage.revision(change.head) };
    tellChange(said, stage, 'synchronize', change, moved);
  }),
  verb('retargets {change} in {repository} to {base}', (said, stage) => {
    const former = changeOf(said, stage);
    const change = { ...former, base: said.the('base') };
    keepChange(said, stage, change);
    tellChange(said, stage, 'edited', change, { changes: { base: { ref: { from: former.base } } } });
  }),
  verb('closes {change} in {repository}', (said, stage) => {
    tellChange(said, stage, 'closed', changeOf(said, stage), {
      pull_request: { state: 'closed', closed_at: stage.time() },
    });
  }),
  /** Options: `at <commit>` where the reviewer saw another than the head, `association <GitHub's word>`. */
  verb('approves {change} in {repository}', (said, stage) => {
    tellReview(said, stage, 'submitted', 'approved', said.who);
  }),
  verb('rejects {change} in {repository}', (said, stage) => {
    tellReview(said, stage, 'submitted', 'changes_requested', said.who);
  }),
  verb('comments on {change} in {repository}', (said, stage) => {
    tellReview(said, stage, 'submitted', 'commented', said.who);
  }),
  verb('dismisses {change} in {repository} of {reviewer}', (said, stage) => {
    tellReview(said, stage, 'dismissed', 'dismissed', said.the('reviewer'));
  }),
  /**
   * GitHub merges: the push to the base, whose commit GitHub makes, and the change, as two deliveries. Options: `by hand`
   * where the merger made and pushed the commit, which GitHub notices, `of <c1>, <c2>` for the commits of a rebase merge.
   */
  verb('merges {change} in {repository} as {commit}', (said, stage) => {
    const change = changeOf(said, stage);
    const repository = said.the('repository');
    const commit = said.the('commit');
    const byHand = said.option('by hand') !== undefined;
    const commits = said
      .option('of')
      ?.split(',')
      .map((name) => name.trim()) ?? [commit];
    const committed = byHand ? said.who : 'web-flow';
    const touching = said.option('touching');
    const authored = byHand ? said.who : change.author;
    // Whatever the timeline says of it, a branch that something is merged into is there.
    const isThere = stage.kept(`ref ${repository} refs/heads/${change.base}`) !== undefined;
    tellPush(stage, {
      by: said.who,
      from: isThere ? undefined : 'base',
      repository,
      ref: `refs/heads/${change.base}`,
      commits,
      committed,
      authored,
      touching,
    });
    tellChange(said, stage, 'closed', change, { pull_request: mergedBody(said, stage) });
  }),
  /** The change's own event alone, where the push is a line of its own, as in a merge queue. Option: `consisting of <n>` commits. */
  verb('merged {change} of {repository} as {commit}', (said, stage) => {
    const change = changeOf(said, stage);
    tellChange(said, stage, 'closed', change, { pull_request: mergedBody(said, stage) });
  }),
  verb('queues {change} in {repository} as {commit}', (said, stage) => {
    const change = changeOf(said, stage);
    const head = stage.revision(said.the('commit'));
    const base =
      stage.kept<string>(`ref ${said.the('repository')} refs/heads/${change.base}`) ?? stage.revision('base');
    const number = numberOf(said);
    stage.github('merge_group', said.who, {
      action: 'checks_requested',
      merge_group: {
        ...{ head_sha: head, head_ref: `refs/heads/gh-readonly-queue/${change.base}/pr-${number}-${base}` },
        ...{ base_sha: base, base_ref: `refs/heads/${change.base}` },
      },
      repository: stage.repository(said.the('repository')),
    });
  }),
];

function mergedBody(said: Said, stage: Stage): Json {
  const count = said.option('consisting of');
  stage.keep(`merged ${placeOf(said)}`, stage.time());
  return {
    ...{ state: 'closed', merged: true, merged_at: stage.time(), closed_at: stage.time() },
    ...{ merged_by: stage.user(said.who), merge_commit_sha: stage.revision(said.the('commit')) },
    ...(count === undefined ? {} : { commits: Number(count) }),
  };
}
const numberOf = (said: Said) => Number(said.the('change').replace('#', ''));
const placeOf = (said: Said) => `change ${said.the('repository')} ${numberOf(said)}`;
function keepChange(said: Said, stage: Stage, change: Change): void {
  stage.keep(placeOf(said), change);
}
function changeOf(said: Said, stage: Stage): Change {
  const change = stage.kept<Change>(placeOf(said));
  if (change === undefined) throw new Error(`nobody has opened ${said.the('change')} in ${said.the('repository')}`);
  return change;
}

function changeBody(said: Said, stage: Stage, change: Change): Json {
  const here = stage.repository(said.the('repository'));
  const there = change.fork === undefined ? here : stage.repository(`${change.fork}/${here.name}`);
  const number = numberOf(said);
  return {
    ...{
      id: stage.id('change', `${here.full_name} ${number}`),
      number,
      title: change.title ?? `Change ${number}`,
      body: null,
    },
    ...{ html_url: `${here.html_url}/pull/${number}`, state: 'open', draft: false },
    ...{ user: stage.user(change.author), author_association: change.association },
    head: {
      label: `${there.owner.login}:${change.branch}`,
      ref: change.branch,
      sha: stage.revision(change.head),
      repo: there,
    },
    base: { label: `${here.owner.login}:${change.base}`, ref: change.base, sha: stage.revision('base'), repo: here },
    ...{ created_at: stage.time(), updated_at: stage.time(), closed_at: null },
    ...{ merged: false, merged_at: null, merged_by: null, merge_commit_sha: null },
  };
}

function tellChange(said: Said, stage: Stage, action: string, change: Change, more: Json = {}): void {
  const { pull_request, ...body } = more as { pull_request?: Json };
  stage.github('pull_request', said.who, {
    ...{ action, number: numberOf(said), ...body },
    pull_request: { ...changeBody(said, stage, change), ...pull_request },
    repository: stage.repository(said.the('repository')),
  });
}

function tellReview(said: Said, stage: Stage, action: string, state: string, reviewer: string): void {
  const change = changeOf(said, stage);
  const body = changeBody(said, stage, change);
  const seen = said.option('at');
  const place = `review ${said.the('repository')} ${numberOf(said)} ${reviewer}`;
  const submitted = { id: stage.id('review', `${place} ${stage.time()}`), at: stage.time() };
  const { id, at } = action === 'dismissed' ? (stage.kept<typeof submitted>(place) ?? submitted) : submitted;
  stage.keep(place, { id, at });
  stage.github('pull_request_review', said.who, {
    action,
    review: {
      ...{ id, user: stage.user(reviewer), body: null, state, submitted_at: at },
      commit_id: stage.revision(seen ?? change.head),
      author_association: said.option('association') ?? 'MEMBER',
      html_url: `${String(body['html_url'])}#pullrequestreview-${id}`,
    },
    pull_request: body,
    repository: stage.repository(said.the('repository')),
  });
}
