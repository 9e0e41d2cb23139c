import { type CommitOf, changeBody, pushBody, repositoryBody, reviewBody, webFlow, zeroSha } from './bodies.ts';
import type { Person, Repository, Style } from './organisation.ts';
import { build, buildMain } from './runs.ts';
import { type Change, hourMs, minuteMs, type World } from './world.ts';

const ciFile = '.github/workflows/ci.yml';

/** A commit of somebody's, as the API will tell it. */
function commit(
  world: World,
  repository: Repository,
  of: {
    author: Person;
    committer?: Person;
    parents: string[];
    message: string;
    files?: readonly string[];
    changes?: Change[];
  },
): CommitOf {
  const made = {
    id: world.chance.sha(),
    author: of.author,
    committer: of.committer ?? of.author,
    message: of.message,
    files: of.files ?? ['src/app.ts'],
  };
  world.commits.set(made.id, { commit: made, parents: of.parents, repository, changes: of.changes ?? [] });
  return made;
}

/** Main moves on by some commits, and is built. */
export function pushMain(
  world: World,
  repository: Repository,
  commits: readonly CommitOf[],
  by: Person,
  more: { isBuilt?: boolean } = {},
): void {
  const before = repository.tips.get('main')!;
  const after = commits.at(-1)!.id;
  repository.tips.set('main', after);
  world.tell('push', by, repository, pushBody({ ref: 'refs/heads/main', before, commits, after, by }, world.time()));
  if (more.isBuilt !== false) world.at(world.now() + 2000, () => buildMain(world, repository, after, by));
}

/** A commit goes straight to main, where that is how a repository works. */
export function landDirectly(world: World, repository: Repository, by: Person, style: 'direct' | 'web'): void {
  const committer = style === 'web' ? webFlow : by;
  const made = commit(world, repository, {
    author: by,
    committer,
    parents: [repository.tips.get('main')!],
    message: 'Adjust a setting',
    files: ['README.md'],
  });
  pushMain(world, repository, [made], by);
  world.count(`landings, ${style}`);
  if (by.isBot) world.count('landings by bots');
}

export type Landing = {
  style: Exclude<Style, 'direct' | 'web'>;
  author: Person;
  reviewer: Person;
  merger: Person;
  /** From opening to landing, and from the last push of the author to it. */
  leadMs: number;
  restMs: number;
  commits: number;
  touchesCi: boolean;
  /** The base is merged into the branch by the button, after the approval. */
  isUpdated: boolean;
};

/**
 * A change of which the last step, its landing, is due at `landsMs`: opened, built, amended, reviewed, sometimes brought up to
 * date with its base, merged in the repository's way, and built on main.
 */
export function landByChange(world: World, repository: Repository, landsMs: number, of: Landing): void {
  const { chance } = world;
  const number = ++repository.number;
  const branch = of.author.isBot
    ? `${of.author.login.replace('[bot]', '')}/update-${number}`
    : `${of.author.login}/change-${number}`;
  const title = of.author.isBot ? 'Bump a dependency from 1.2.3 to 1.2.4' : 'Make the cache forget what is stale';
  const openedMs = landsMs - of.leadMs;
  const change: Change = { number, author: of.author, head: zeroSha, branch, commits: [], state: 'open', reviews: [] };
  const openedAt = world.time(openedMs);
  const here = () => repositoryBody(world.organisation, repository, world.now());
  const body = (merged?: { by: Person; revision: string }) =>
    changeBody(
      {
        number,
        title,
        author: of.author,
        branch,
        head: change.head,
        base: repository.tips.get('main')!,
        commits: change.commits.length,
        openedAt,
      },
      here(),
      world.time(),
      merged,
    );

  function pushBranch(commits: readonly CommitOf[], by: Person): void {
    const [before, after] = [change.head, commits.at(-1)!.id];
    change.head = after;
    change.commits.push(...commits);
    world.tell(
      'push',
      by,
      repository,
      pushBody({ ref: `refs/heads/${branch}`, before, commits, after, by }, world.time()),
    );
    if (before !== zeroSha)
      world.tell('pull_request', by, repository, {
        action: 'synchronize',
        number,
        before,
        after,
        pull_request: body(),
      });
  }
  const buildHead = (by: Person) =>
    build(world, repository, {
      workflow: 'ci',
      trigger: 'pull_request',
      branch,
      sha: change.head,
      by,
      jobs: 1 + chance.upTo(3),
      changes: [number],
      isHosted: repository.isPublic,
    });
  const write = (nth: number) =>
    commit(world, repository, {
      author: of.author,
      committer: of.author.isBot ? webFlow : of.author,
      parents: [change.head === zeroSha ? repository.tips.get('main')! : change.head],
      message: nth === 0 ? title : 'Address a remark',
      files: of.touchesCi && nth === 0 ? [ciFile, 'src/app.ts'] : ['src/app.ts'],
      changes: [change],
    });

  world.at(openedMs, () => {
    pushBranch([write(0)], of.author);
    world.at(world.now() + 30_000, () => {
      world.tell('pull_request', of.author, repository, { action: 'opened', number, pull_request: body() });
      buildHead(of.author);
    });
  });
  const lastPushMs = landsMs - of.restMs;
  for (let nth = 1; nth < of.commits; nth += 1) {
    // The approval is of the last: nobody pushes after it.
    const atMs = lastPushMs - ((lastPushMs - openedMs) * (of.commits - 1 - nth)) / of.commits;
    world.at(atMs, () => {
      pushBranch([write(nth)], of.author);
      buildHead(of.author);
    });
  }
  const approvedMs = landsMs - Math.max(2 * minuteMs, of.restMs * chance.between(0.1, 0.8));
  world.at(approvedMs, () => {
    const review = {
      id: chance.serial(),
      by: of.reviewer,
      state: 'APPROVED' as const,
      revision: change.head,
      atMs: world.now(),
    };
    change.reviews.push(review);
    world.tell('pull_request_review', of.reviewer, repository, {
      action: 'submitted',
      review: reviewBody(review.id, of.reviewer, 'approved', change.head, world.time()),
      pull_request: body(),
    });
    if (of.reviewer.isPrivate) world.count('reviews by private members');
  });
  if (of.isUpdated) {
    world.at(landsMs - minuteMs, () => {
      const merge = commit(world, repository, {
        author: of.merger,
        committer: webFlow,
        parents: [change.head, repository.tips.get('main')!],
        message: `Merge branch 'main' into ${branch}`,
        changes: [change],
      });
      pushBranch([merge], of.merger);
      buildHead(of.merger);
      world.count('updated branches');
    });
  }
  world.at(landsMs, () => land());

  function land(): void {
    const main = repository.tips.get('main')!;
    const by = of.merger;
    const message = `${title} (#${number})`;
    const committer = webFlow;
    if (of.style === 'queue') {
      queue();
      return;
    }
    const commits =
      of.style === 'squash'
        ? [
            commit(world, repository, {
              author: of.author,
              committer,
              parents: [main],
              message,
              changes: [change],
              files: filesOf(),
            }),
          ]
        : of.style === 'rebase'
          ? rebased(main)
          : [
              ...change.commits,
              commit(world, repository, {
                author: by,
                committer,
                parents: [main, change.head],
                message: `Merge pull request #${number}`,
                changes: [change],
              }),
            ];
    merged(commits);
  }
  function filesOf(): readonly string[] {
    return of.touchesCi ? [ciFile, 'src/app.ts'] : ['src/app.ts'];
  }
  /** GitHub writes the commits anew, each on the one before, in the name of who merges. */
  function rebased(main: string): CommitOf[] {
    let parent = main;
    return change.commits.map((one) => {
      const made = commit(world, repository, {
        author: one.author,
        committer: of.merger,
        parents: [parent],
        message: one.message,
        files: one.files,
        changes: [change],
      });
      parent = made.id;
      return made;
    });
  }
  function queue(): void {
    const main = repository.tips.get('main')!;
    const made = commit(world, repository, {
      author: of.author,
      committer: webFlow,
      parents: [main],
      message: `${title} (#${number})`,
      changes: [change],
      files: filesOf(),
    });
    const ref = `gh-readonly-queue/main/pr-${number}-${main}`;
    world.tell('pull_request', of.merger, repository, { action: 'enqueued', number, pull_request: body() });
    world.tell(
      'push',
      of.merger,
      repository,
      pushBody(
        { ref: `refs/heads/${ref}`, before: zeroSha, commits: [made], after: made.id, by: of.merger },
        world.time(),
      ),
    );
    world.tell('merge_group', of.merger, repository, {
      action: 'checks_requested',
      merge_group: {
        head_sha: made.id,
        head_ref: `refs/heads/${ref}`,
        base_sha: main,
        base_ref: 'refs/heads/main',
        head_commit: {},
      },
    });
    build(world, repository, {
      workflow: 'ci',
      trigger: 'merge_group',
      branch: ref,
      sha: made.id,
      by: of.merger,
      jobs: 2,
      isHosted: true,
    });
    // One after the other: what was merged meanwhile has the group made anew, which is left out here.
    world.at(world.now() + 4 * minuteMs, () => {
      if (repository.tips.get('main') !== main) {
        queue();
        return;
      }
      merged([made]);
      world.tell('merge_group', of.merger, repository, {
        action: 'destroyed',
        reason: 'merged',
        merge_group: {
          head_sha: made.id,
          head_ref: `refs/heads/${ref}`,
          base_sha: main,
          base_ref: 'refs/heads/main',
          head_commit: {},
        },
      });
    });
  }
  function merged(commits: readonly CommitOf[]): void {
    const by = of.merger;
    const revision = commits.at(-1)!.id;
    Object.assign(change, { state: 'merged', merged: { by, revision, atMs: world.now() } });
    const told = body({ by, revision });
    pushMain(world, repository, commits, by);
    world.tell('pull_request', by, repository, { action: 'closed', number, pull_request: told });
    world.at(world.now() + 1500, () => {
      world.tell(
        'push',
        by,
        repository,
        pushBody({ ref: `refs/heads/${branch}`, before: change.head, commits: [], after: zeroSha, by }, world.time()),
      );
      world.tell('delete', by, repository, { ref: branch, ref_type: 'branch', pusher_type: 'user' });
    });
    world.count(`landings, ${of.style}`);
    if (of.author.isBot) world.count('landings by bots');
    if (of.leadMs > hourMs * 24 * 30) world.count('changes opened before the month');
  }
}
