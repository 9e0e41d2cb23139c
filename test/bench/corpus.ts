import { createRequire } from 'node:module';

/**
 * One corpus for every contestant: GitHub deliveries in the shape of the published examples, telling coherent stories
 * of many organisations. A story is a change that is opened, approved, merged, pushed and built; one story in
 * `attackEvery` is a build of a commit that somebody pushed straight to the default branch, and its run is a true
 * finding of build-from-unreviewed-commit. The same options give the same corpus.
 */
export type CorpusOptions = {
  deliveries: number;
  workspaces: number;
  /** One story in so many is an attack. */
  attackEvery: number;
  seed: number;
  /** When the first delivery happened, ms since the epoch. */
  startMs: number;
};

export type Delivery = { event: string; id: string; organization: string; body: Buffer };
export type Corpus = { deliveries: Delivery[] /** Run ids whose build must be found. */; attacks: string[] };

type Json = Record<string, unknown>;
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as { name: string; examples: Json[] }[];

function example(name: string, fits: (body: Json) => boolean = () => true): Json {
  const found = examples.find((entry) => entry.name === name)?.examples.find(fits);
  if (!found) throw new Error(`@octokit/webhooks-examples has no ${name} that fits`);
  return found;
}

const templates = {
  closed: example('pull_request', (body) => body['action'] === 'closed'),
  review: example('pull_request_review', (body) => body['action'] === 'submitted'),
  push: example('push', (body) => (body['ref'] as string).startsWith('refs/tags/')),
  run: example('workflow_run', (body) => body['action'] === 'requested'),
  job: example('workflow_job', (body) => body['action'] === 'in_progress' && 'organization' in body),
};

/** mulberry32: small, seeded, good enough to spread a corpus. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function makeCorpus(options: CorpusOptions): Corpus {
  const next = random(options.seed);
  const hex = () => Array.from({ length: 40 }, () => Math.floor(next() * 16).toString(16)).join('');
  const deliveries: Delivery[] = [];
  const attacks: string[] = [];
  const open: (() => Delivery)[][] = [];
  let serial = 1_000_000 + options.seed;
  let story = 0;

  const tell = (): (() => Delivery)[] => {
    story += 1;
    const organization = `bench-org-${Math.floor(next() * options.workspaces)}`;
    const attack = story % options.attackEvery === 0;
    const steps = storyOf({
      organization,
      repository: `app-${Math.floor(next() * 20)}`,
      attack,
      hex,
      serial: () => ++serial,
    });
    if (attack) attacks.push(steps.run);
    return steps.deliveries.map((build) => () => build(new Date(options.startMs + deliveries.length).toISOString()));
  };

  while (deliveries.length < options.deliveries) {
    // A few dozen stories run at once, so that deliveries of one organisation interleave with those of others.
    while (open.length < 48) open.push(tell());
    const at = Math.floor(next() * open.length);
    const steps = open[at]!;
    deliveries.push(steps.shift()!());
    if (steps.length === 0) open.splice(at, 1);
  }
  const begun = new Set(
    deliveries.filter((delivery) => delivery.event === 'workflow_run').map((delivery) => runOf(delivery)),
  );
  return { deliveries, attacks: attacks.filter((run) => begun.has(run)) };
}

function runOf(delivery: Delivery): string {
  return String((JSON.parse(delivery.body.toString()) as { workflow_run: { id: number } }).workflow_run.id);
}

type Story = { organization: string; repository: string; attack: boolean; hex: () => string; serial: () => number };

function storyOf({ organization, repository, attack, hex, serial }: Story): {
  run: string;
  deliveries: ((time: string) => Delivery)[];
} {
  const [before, head, merge] = [hex(), hex(), hex()];
  const [number, runId, author, reviewer] = [serial(), serial(), 'ada', 'grace'];
  const where = {
    repository: {
      ...(templates.push['repository'] as Json),
      name: repository,
      full_name: `${organization}/${repository}`,
      default_branch: 'main',
      private: true,
      owner: { login: organization, id: 1, type: 'Organization' },
    },
    organization: { login: organization, id: 1 },
  };
  const person = (login: string) => ({
    ...(templates.push['sender'] as Json),
    login,
    id: login.length * 1000,
    type: 'User',
  });
  const change = (time: string, extra: Json): Json => {
    const base = templates.closed['pull_request'] as Json;
    return {
      ...base,
      number,
      user: person(author),
      author_association: 'MEMBER',
      updated_at: time,
      head: { ...(base['head'] as Json), sha: head, ref: 'feature', repo: where.repository },
      base: { ...(base['base'] as Json), ref: 'main', sha: before, repo: where.repository },
      ...extra,
    };
  };
  const delivery = (event: string, sender: string, body: Json): Delivery => {
    const id = serial();
    return {
      event,
      id: `bench-${id}`,
      organization,
      body: Buffer.from(JSON.stringify({ ...body, ...where, sender: person(sender) })),
    };
  };
  const pushed = attack ? head : merge;
  const run = (action: string) => (time: string) =>
    delivery('workflow_run', author, {
      ...templates.run,
      action,
      workflow_run: {
        ...(templates.run['workflow_run'] as Json),
        id: runId,
        event: 'push',
        head_sha: pushed,
        head_branch: 'main',
        head_repository: where.repository,
        repository: where.repository,
        created_at: time,
        run_started_at: time,
        updated_at: time,
        status: action === 'completed' ? 'completed' : 'queued',
        conclusion: action === 'completed' ? 'success' : null,
        actor: person(author),
        triggering_actor: person(author),
      },
    });
  const job = (action: string) => {
    const jobId = serial();
    return (time: string) =>
      delivery('workflow_job', author, {
        ...templates.job,
        action,
        workflow_job: {
          ...(templates.job['workflow_job'] as Json),
          id: jobId,
          run_id: runId,
          run_attempt: 1,
          workflow_name: 'test',
          head_branch: 'main',
          head_sha: pushed,
          created_at: time,
          started_at: time,
          completed_at: action === 'completed' ? time : null,
          status: action === 'completed' ? 'completed' : 'in_progress',
          conclusion: action === 'completed' ? 'success' : null,
          labels: ['ubuntu-latest'],
          runner_id: jobId % 100_000,
          runner_name: `GitHub Actions ${jobId % 1000}`,
          runner_group_id: 0,
          runner_group_name: 'GitHub Actions',
        },
      });
  };
  const push = (time: string): Delivery => {
    const committer = attack
      ? { name: author, email: `${author}@example.com`, username: author }
      : { name: 'GitHub', email: 'noreply@github.com', username: 'web-flow' };
    const commit = {
      ...(templates.push['head_commit'] as Json),
      id: pushed,
      timestamp: time,
      author: { name: author, email: `${author}@example.com`, username: author },
      committer,
    };
    return delivery('push', author, {
      ...templates.push,
      ref: 'refs/heads/main',
      before,
      after: pushed,
      created: false,
      commits: [commit],
      head_commit: commit,
      pusher: { name: author, email: `${author}@example.com` },
    });
  };
  const build = [run('requested'), job('queued'), job('in_progress'), job('completed'), run('completed')];
  if (attack) return { run: String(runId), deliveries: [push, ...build] };
  const review = (time: string) =>
    delivery('pull_request_review', reviewer, {
      ...templates.review,
      action: 'submitted',
      review: {
        ...(templates.review['review'] as Json),
        id: number + 1,
        user: person(reviewer),
        state: 'approved',
        commit_id: head,
        author_association: 'MEMBER',
        submitted_at: time,
      },
      pull_request: change(time, { state: 'open', merged: undefined }),
    });
  return {
    run: String(runId),
    deliveries: [
      (time) =>
        delivery('pull_request', author, {
          ...templates.closed,
          action: 'opened',
          number,
          pull_request: change(time, {
            state: 'open',
            merged: false,
            merged_at: null,
            created_at: time,
            closed_at: null,
          }),
        }),
      review,
      (time) =>
        delivery('pull_request', reviewer, {
          ...templates.closed,
          action: 'closed',
          number,
          pull_request: change(time, {
            state: 'closed',
            merged: true,
            merged_at: time,
            closed_at: time,
            merge_commit_sha: merge,
            merged_by: person(reviewer),
          }),
        }),
      push,
      ...build,
    ],
  };
}
