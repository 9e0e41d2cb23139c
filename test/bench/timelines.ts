import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { questionOf } from '@tripline/facts/review-reader';

/**
 * The timelines that the corpus is made of, told in GitHub deliveries in the shape of the published examples. How many
 * deliveries of a kind a timeline has follows from how GitHub tells one: a run is told three times, each of its jobs three
 * times, and every job is a check too.
 */
export type Delivery = { event: string; id: string; organization: string; body: Buffer };
/** One delivery of a timeline, made when its time has come (ISO 8601). */
type Tell = (time: string) => Delivery;
export type Attack = {
  rule: 'build-from-unreviewed-commit' | 'credential-new-runner' | 'privilege-grant-outside-job';
  /** What the finding and its message name: the run's id, the runner's name, the deploy key's id. */
  mark: string;
};
/** `deciding`: index of the step at which the attack must be found, by itself or by the `answer` to what is asked then. */
export type BenchTimeline = { steps: Tell[]; attack?: Attack & { deciding: number; answer?: Answer } };
/** What the provider's API answers, as the detector's look-up lays it into the log. */
type Answer = (time: string) => TriplineEvent;
export type Chance = {
  /** 40 hexadecimal digits. */
  sha: () => string;
  serial: () => number;
  /** A whole number from 0 to `below` - 1. */
  upTo: (below: number) => number;
};

type Json = Record<string, unknown>;
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as { name: string; examples: Json[] }[];

function example(name: string, fits: (body: Json) => boolean = () => true): Json {
  const found = examples.find((entry) => entry.name === name)?.examples.find(fits);
  if (!found) throw new Error(`@octokit/webhooks-examples has no ${name} that fits`);
  return found;
}
const did = (action: string) => (body: Json) => body['action'] === action;

const templates = {
  change: example('pull_request', did('closed')),
  review: example('pull_request_review', did('submitted')),
  push: example('push', (body) => (body['ref'] as string).startsWith('refs/tags/')),
  run: example('workflow_run', did('requested')),
  job: example('workflow_job', (body) => body['action'] === 'in_progress' && 'organization' in body),
  check: example('check_run', did('completed')),
  suite: example('check_suite', did('completed')),
  comment: example('issue_comment', did('created')),
  issue: example('issues', did('opened')),
  branch: example('delete'),
  key: example('deploy_key', did('created')),
};

const [author, reviewer] = ['ada', 'grace'];
const knownRunner = { id: 41, name: 'build-01' };
const runners = 20;
const repositories = 20;
/** How people work in a repository, by its number: most have changes reviewed, some rest, to some everybody pushes. */
const ways = { changes: { from: 0, below: 14 }, rest: { from: 14, below: 18 }, pushes: { from: 18, below: 20 } };
const runnerGroup = { groupId: '1', groupName: 'Default' };
const headOf = (repository: string) => createHash('sha1').update(repository).digest('hex');
const none = '0'.repeat(40);

/** What an inventory says of an organisation on day one: its runners, which production's secrets they had, its heads. */
export function inventoryOf(organization: string): Attributes {
  const ownerId = String(numberOf(organization));
  const names = Array.from({ length: repositories }, (_, index) => `${organization}/app-${index}`);
  const labels = ['self-hosted', 'linux', 'x64'];
  const ids = Array.from({ length: runners }, (_, index) => ({
    id: String(knownRunner.id + index),
    name: `build-${index}`,
  }));
  return {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.runners': ids.map((runner) => ({ ...runner, ...runnerGroup, labels, ownerId })),
    'tripline.inventory.runner_groups': [
      { id: runnerGroup.groupId, name: runnerGroup.groupName, ownerId, hosted: [], selfHosted: runners },
    ],
    'tripline.inventory.heads': names.map((repository) => ({
      repository,
      repositoryId: String(numberOf(repository)),
      branch: 'main',
      revision: headOf(repository),
    })),
    'tripline.inventory.members': [author, reviewer].map((login) => ({
      login,
      id: String(numberOf(login)),
      role: 'member',
    })),
  };
}

/** The number of an account or repository: of each name another one, since what has one number is one thing. */
const numberOf = (name: string): number =>
  Number.parseInt(createHash('sha1').update(name).digest('hex').slice(0, 10), 16);

/** Where a timeline plays. `tips`: where branches stand by now, by `owner/name branch`; one map for all timelines. */
export type Setting = { organization: string; chance: Chance; tips: Map<string, string> };

/** A stage for one timeline: one of the repositories in which people work in that way. */
function createStage({ organization, chance, tips }: Setting, way: keyof typeof ways) {
  const { from, below } = ways[way];
  const repositoryName = `app-${from + chance.upTo(below - from)}`;
  const fullName = `${organization}/${repositoryName}`;
  const head = headOf(fullName);
  const repository = {
    ...(templates.push['repository'] as Json),
    id: numberOf(fullName),
    name: repositoryName,
    full_name: fullName,
    default_branch: 'main',
    private: true,
    owner: { login: organization, id: numberOf(organization), type: 'Organization' },
  };
  const where = { repository, organization: { login: organization, id: numberOf(organization) } };
  const person = (login: string) => ({
    ...(templates.push['sender'] as Json),
    login,
    id: numberOf(login),
    type: 'User',
  });
  const delivery = (event: string, sender: string, body: Json): Delivery => ({
    event,
    id: `bench-${chance.serial()}`,
    organization,
    body: Buffer.from(JSON.stringify({ ...body, ...where, ...pushedIn(body), sender: person(sender) })),
  });
  /** When a push was made stands in the repository that it tells. */
  const pushedIn = ({ head_commit: head }: Json): Json =>
    head === undefined
      ? {}
      : {
          repository: {
            ...repository,
            pushed_at: Math.floor(Date.parse((head as Json)['timestamp'] as string) / 1000),
          },
        };

  /** On which commit each was pushed. */
  const landedOn = new Map<string, string>();
  const tipOf = (branch: string) => tips.get(`${fullName} ${branch}`) ?? (branch === 'main' ? head : none);
  const change = (of: ChangeOf, time: string, extra: Json): Json => {
    const base = templates.change['pull_request'] as Json;
    return {
      ...base,
      number: of.number,
      user: person(author),
      author_association: 'MEMBER',
      state: 'open',
      merged: false,
      merged_at: null,
      closed_at: null,
      updated_at: time,
      head: { ...(base['head'] as Json), sha: of.head, ref: of.branch, repo: repository },
      base: { ...(base['base'] as Json), ref: 'main', sha: tipOf('main'), repo: repository },
      ...extra,
    };
  };
  const pullRequest =
    (action: string, sender: string, of: ChangeOf, extra = (_time: string): Json => ({})): Tell =>
    (time) =>
      delivery('pull_request', sender, {
        ...templates.change,
        action,
        number: of.number,
        pull_request: change(of, time, { created_at: time, ...extra(time) }),
      });
  /** `by`: whose push it is; the provider's own merges count as pushes of those who merge. */
  const push =
    (of: { branch: string; revision: string; committer: string; by?: string }): Tell =>
    (time) => {
      const { by = author } = of;
      const before = tipOf(of.branch);
      tips.set(`${fullName} ${of.branch}`, of.revision);
      landedOn.set(of.revision, before);
      const web = of.committer === 'web-flow';
      const commit = {
        ...(templates.push['head_commit'] as Json),
        id: of.revision,
        timestamp: time,
        author: { name: author, email: `${author}@example.com`, username: author },
        committer: {
          name: web ? 'GitHub' : of.committer,
          email: web ? 'noreply@github.com' : `${of.committer}@example.com`,
          username: of.committer,
        },
      };
      return delivery('push', by, {
        ...templates.push,
        ref: `refs/heads/${of.branch}`,
        before,
        after: of.revision,
        created: before === none,
        commits: [commit],
        head_commit: commit,
        pusher: { name: by, email: `${by}@example.com` },
      });
    };

  type RunOf = {
    id: number;
    revision: string;
    branch: string;
    trigger: string;
    jobs: number;
    /** A self-hosted runner that takes its jobs; without one they run on the provider's. */
    runner?: { id: number; name: string };
    environment?: string;
  };
  const runTold =
    (of: RunOf, action: 'requested' | 'in_progress' | 'completed'): Tell =>
    (time) =>
      delivery('workflow_run', author, {
        ...templates.run,
        action,
        workflow_run: {
          ...(templates.run['workflow_run'] as Json),
          id: of.id,
          event: of.trigger,
          head_sha: of.revision,
          head_branch: of.branch,
          head_repository: repository,
          repository,
          created_at: time,
          run_started_at: time,
          updated_at: time,
          status: action === 'requested' ? 'queued' : action,
          conclusion: action === 'completed' ? 'success' : null,
          actor: person(author),
          triggering_actor: person(author),
        },
      });
  const jobTold =
    (of: RunOf, jobId: number, action: 'queued' | 'in_progress' | 'completed'): Tell =>
    (time) => {
      const assigned = action !== 'queued';
      const runner = of.runner ?? { id: jobId % 100_000, name: `GitHub Actions ${jobId % 1000}` };
      return delivery('workflow_job', author, {
        ...templates.job,
        action,
        workflow_job: {
          ...(templates.job['workflow_job'] as Json),
          id: jobId,
          run_id: of.id,
          run_attempt: 1,
          workflow_name: 'test',
          name: `job-${jobId % 7}`,
          head_branch: of.branch,
          head_sha: of.revision,
          created_at: time,
          started_at: time,
          completed_at: action === 'completed' ? time : null,
          status: action,
          conclusion: action === 'completed' ? 'success' : null,
          labels: of.runner ? ['self-hosted', 'linux', 'x64'] : ['ubuntu-latest'],
          runner_id: assigned ? runner.id : null,
          runner_name: assigned ? runner.name : null,
          runner_group_id: assigned ? (of.runner ? Number(runnerGroup.groupId) : 0) : null,
          runner_group_name: assigned ? (of.runner ? runnerGroup.groupName : 'GitHub Actions') : null,
        },
        ...(of.environment === undefined
          ? {}
          : {
              deployment: {
                id: jobId,
                sha: of.revision,
                ref: of.branch,
                task: 'deploy',
                environment: of.environment,
                original_environment: of.environment,
                production_environment: true,
              },
            }),
      });
    };
  const checkTold =
    (of: RunOf, name: 'check_run' | 'check_suite', action: string): Tell =>
    (time) => {
      const template = name === 'check_run' ? templates.check : templates.suite;
      const conclusion = action === 'completed' ? { conclusion: 'success', completed_at: time } : { conclusion: null };
      return delivery(name, author, {
        ...template,
        action,
        [name]: { ...(template[name] as Json), head_sha: of.revision, started_at: time, ...conclusion },
      });
    };
  function run(of: RunOf): Tell[] {
    const jobs = Array.from({ length: of.jobs }, () => chance.serial());
    return [
      runTold(of, 'requested'),
      ...jobs.flatMap((id) => [checkTold(of, 'check_run', 'created'), jobTold(of, id, 'queued')]),
      runTold(of, 'in_progress'),
      ...jobs.map((id) => jobTold(of, id, 'in_progress')),
      ...jobs.flatMap((id) => [jobTold(of, id, 'completed'), checkTold(of, 'check_run', 'completed')]),
      runTold(of, 'completed'),
      checkTold(of, 'check_suite', 'completed'),
    ];
  }
  const comment =
    (number: number): Tell =>
    (time) =>
      delivery('issue_comment', reviewer, {
        ...templates.comment,
        issue: { ...(templates.comment['issue'] as Json), number },
        comment: { ...(templates.comment['comment'] as Json), id: chance.serial(), created_at: time, updated_at: time },
      });
  /** GitHub asked about a commit: it knows of no change that brought it in. */
  const answeredUnmerged =
    (revision: string): Answer =>
    (time) => {
      const id = String(numberOf(fullName));
      const lookUp = questionOf({ name: fullName, id }, revision);
      return {
        id: `look-up:${lookUp.id}`,
        source: `//github.com/${fullName}`,
        type: 'dev.cdeventsx.tripline-change.looked-up',
        time,
        workspace: organization,
        trust: 'high',
        data: {
          'vcs.provider.name': 'github',
          'vcs.repository.name': fullName,
          'vcs.repository.id': id,
          'vcs.ref.head.revision': revision,
          'tripline.lookup.id': lookUp.id,
          'tripline.lookup.outcome': 'found',
          'tripline.lookup.commit': {
            revision,
            ...{ author, authorId: String(numberOf(author)), authorType: 'User' },
            ...{ committer: author, parents: [landedOn.get(revision)!], verified: false },
          },
          'tripline.lookup.changes': [],
        },
      };
    };
  return { head, chance, delivery, pullRequest, change, push, run, comment, person, answeredUnmerged };
}
/** A pull request: its number, its head and the branch of that. */
type ChangeOf = { number: number; head: string; branch: string };

/** A change that is opened, built, sometimes amended, talked about, approved, merged, and built again on main. */
export function change(setting: Setting): BenchTimeline {
  const stage = createStage(setting, 'changes');
  const { chance, pullRequest, push, run, comment, delivery, person } = stage;
  const [number, branch, merge] = [chance.serial(), `feature-${chance.serial()}`, chance.sha()];
  const heads = Array.from({ length: 1 + chance.upTo(3) }, () => chance.sha());
  const last = { number, head: heads.at(-1)!, branch };
  const build = (revision: string, on: string, trigger: string) =>
    run({ id: chance.serial(), revision, branch: on, trigger, jobs: 1 + chance.upTo(5) });
  const approve: Tell = (time) =>
    delivery('pull_request_review', reviewer, {
      ...templates.review,
      action: 'submitted',
      review: {
        ...(templates.review['review'] as Json),
        id: chance.serial(),
        user: person(reviewer),
        state: 'approved',
        commit_id: last.head,
        author_association: 'MEMBER',
        submitted_at: time,
      },
      pull_request: stage.change(last, time, {}),
    });
  const merged = (time: string) => ({
    state: 'closed',
    merged: true,
    merged_at: time,
    closed_at: time,
    merge_commit_sha: merge,
    commits: heads.length,
    merged_by: person(reviewer),
  });
  const gone: Tell = () => delivery('delete', author, { ...templates.branch, ref: branch, ref_type: 'branch' });
  return {
    steps: [
      ...heads.flatMap((revision, index) => [
        push({ branch, revision, committer: author }),
        pullRequest(index === 0 ? 'opened' : 'synchronize', author, { number, head: revision, branch }),
        ...build(revision, branch, 'pull_request'),
      ]),
      ...Array.from({ length: chance.upTo(3) }, () => comment(number)),
      approve,
      pullRequest('closed', reviewer, last, merged),
      push({ branch: 'main', revision: merge, committer: 'web-flow', by: reviewer }),
      gone,
      ...build(merge, 'main', 'push'),
    ],
  };
}

/** Work on a branch that nobody asks to merge yet. */
export function branchWork(setting: Setting): BenchTimeline {
  const { chance, push, run } = createStage(setting, 'changes');
  const [branch, revision] = [`try-${chance.serial()}`, chance.sha()];
  const build = { id: chance.serial(), revision, branch, trigger: 'push', jobs: 1 + chance.upTo(4) };
  return { steps: [push({ branch, revision, committer: author }), ...run(build)] };
}

/** A nightly run of what is on main. */
export function nightly(setting: Setting): BenchTimeline {
  const { chance, run, head } = createStage(setting, 'rest');
  const build = { id: chance.serial(), revision: head, branch: 'main', trigger: 'schedule', jobs: 2 + chance.upTo(6) };
  return { steps: run(build) };
}

/** A deployment of main to production, on a runner of the house. */
export function deployment(setting: Setting): BenchTimeline {
  const { chance, run, head } = createStage(setting, 'rest');
  const index = chance.upTo(runners);
  const runner = { id: knownRunner.id + index, name: `build-${index}` };
  const environment = 'production';
  const of = { revision: head, branch: 'main', trigger: 'workflow_dispatch', jobs: 1, runner, environment };
  return { steps: run({ id: chance.serial(), ...of }) };
}

/** Somebody reports a fault, and people talk about it. */
export function talk(setting: Setting): BenchTimeline {
  const { chance, delivery, comment } = createStage(setting, 'changes');
  const number = chance.serial();
  const opened: Tell = (time) =>
    delivery('issues', author, {
      ...templates.issue,
      issue: { ...(templates.issue['issue'] as Json), number, created_at: time, updated_at: time },
    });
  return { steps: [opened, ...Array.from({ length: 1 + chance.upTo(6) }, () => comment(number))] };
}

/** A commit is pushed straight to main where nobody works by changes, and built: found at once. */
export function unreviewedBuild(setting: Setting): BenchTimeline {
  const { chance, push, run } = createStage(setting, 'pushes');
  const [id, revision] = [chance.serial(), chance.sha()];
  const build = run({ id, revision, branch: 'main', trigger: 'push', jobs: 1 + chance.upTo(4) });
  const steps = [push({ branch: 'main', revision, committer: author }), ...build];
  return { steps, attack: { rule: 'build-from-unreviewed-commit', mark: String(id), deciding: 1 } };
}

/**
 * A change is opened, and its commit pushed straight to main, and built, before anybody has looked at it. A merge may be on
 * its way, so the provider is asked, and its answer decides.
 */
export function bypassedReview(setting: Setting): BenchTimeline {
  const { chance, pullRequest, push, run, answeredUnmerged } = createStage(setting, 'changes');
  const [id, revision, number, branch] = [chance.serial(), chance.sha(), chance.serial(), `feature-${chance.serial()}`];
  const opened = chance.sha();
  const steps = [
    push({ branch, revision: opened, committer: author }),
    pullRequest('opened', author, { number, head: opened, branch }),
    push({ branch: 'main', revision, committer: author }),
    ...run({ id, revision, branch: 'main', trigger: 'push', jobs: 1 + chance.upTo(4) }),
  ];
  const attack: Attack = { rule: 'build-from-unreviewed-commit', mark: String(id) };
  return { steps, attack: { ...attack, deciding: 3, answer: answeredUnmerged(revision) } };
}

/** A deployment lands on a machine that nobody knows. */
export function strangeRunner(setting: Setting): BenchTimeline {
  const { chance, run, head } = createStage(setting, 'rest');
  const serial = chance.serial();
  const runner = { id: 1_000_000_000 + serial, name: `stranger-${serial}` };
  const environment = 'production';
  const of = { revision: head, branch: 'main', trigger: 'workflow_dispatch', jobs: 1, runner, environment };
  // Requested, check created, queued, run in progress, job in progress: the fifth names the runner.
  const steps = run({ id: chance.serial(), ...of });
  return { steps, attack: { rule: 'credential-new-runner', mark: runner.name, deciding: 4 } };
}

/** A deploy key that may write is added by hand. */
export function deployKey(setting: Setting): BenchTimeline {
  const { chance, delivery } = createStage(setting, 'changes');
  const id = chance.serial();
  const added: Tell = (time) =>
    delivery('deploy_key', author, {
      ...templates.key,
      key: { ...(templates.key['key'] as Json), id, read_only: false, created_at: time },
    });
  return { steps: [added], attack: { rule: 'privilege-grant-outside-job', mark: String(id), deciding: 0 } };
}
