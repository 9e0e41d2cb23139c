import type { Attributes } from '@tripline/contracts/attributes';
import { type GitHubClient, GitHubRefused, type GitHubRequest, ownerAndRepo } from './client.ts';

type List<Name extends keyof Attributes> = NonNullable<Attributes[Name]>;

/** What is already true in an organisation, as GitHub tells it. */
export type Inventory = {
  runners: List<'tripline.inventory.runners'>;
  heads: List<'tripline.inventory.heads'>;
  protected: List<'tripline.inventory.protected'>;
  members: List<'tripline.inventory.members'>;
  deployKeys: List<'tripline.inventory.deploy_keys'>;
  installations: List<'tripline.inventory.installations'>;
};

/** What reading it takes, all of it read-only. */
export const inventoryPermissions = {
  actions: 'read',
  administration: 'read',
  contents: 'read',
  metadata: 'read',
  members: 'read',
  organization_administration: 'read',
  organization_self_hosted_runners: 'read',
} as const;

const mostRepositories = 5000;
const repositoriesAtOnce = 8;

type Repository = { id?: number | bigint; full_name: string; default_branch: string; archived: boolean };
type Runner = { id: number | bigint; name: string; runner_group_id?: number; labels: { name: string }[] };
type Ruleset = { id: number; target?: string; enforcement: string; conditions?: { ref_name?: { include?: string[] } } };

/**
 * Reads what is already true in `organization`. All or nothing: an inventory without its runners would end the learning
 * of rules that then call every runner new.
 * @throws {GitHubRefused} {@link NoAnswer}
 */
export async function readInventory(client: GitHubClient, organization: string): Promise<Inventory> {
  const org = { org: organization };
  const inventory: Inventory = {
    runners: [],
    heads: [],
    protected: [],
    members: [],
    deployKeys: [],
    installations: [],
  };
  const runners = { route: 'GET /orgs/{org}/actions/runners', parameters: org };
  for await (const runner of client.list<Runner>(runners, { under: 'runners' }))
    inventory.runners.push(toRunner(runner));
  for (const role of ['admin', 'member']) {
    const members = { route: 'GET /orgs/{org}/members', parameters: { ...org, role } };
    for await (const { login } of client.list<{ login: string }>(members, { maxItems: 50_000 })) {
      inventory.members.push({ login, role });
    }
  }
  const installations = { route: 'GET /orgs/{org}/installations', parameters: org };
  type Installation = { id: number | bigint; app_slug: string; permissions: Record<string, string> };
  for await (const { id, app_slug, permissions } of client.list<Installation>(installations, {
    under: 'installations',
  })) {
    inventory.installations.push({ id: String(id), app: app_slug, permissions });
  }
  const repositories: Repository[] = [];
  const listed = { route: 'GET /orgs/{org}/repos', parameters: { ...org, type: 'all' } };
  for await (const repository of client.list<Repository>(listed, { maxItems: mostRepositories })) {
    // Nothing runs in an archived repository and nothing is pushed to it.
    if (!repository.archived) repositories.push(repository);
  }
  for (let at = 0; at < repositories.length; at += repositoriesAtOnce) {
    const some = repositories.slice(at, at + repositoriesAtOnce);
    await Promise.all(some.map((repository) => readRepository(client, repository, inventory)));
  }
  return inventory;
}

async function readRepository(client: GitHubClient, repository: Repository, inventory: Inventory): Promise<void> {
  const name = repository.full_name;
  const where = ownerAndRepo(name);
  const read = <T>(route: string, options: { under?: string; parameters?: object } = {}) =>
    present(client.list<T>({ route, parameters: { ...where, ...options.parameters } }, options));

  for await (const runner of read<Runner>('GET /repos/{owner}/{repo}/actions/runners', { under: 'runners' })) {
    inventory.runners.push({ ...toRunner(runner), repository: name });
  }
  type Key = { id: number | bigint; title: string; read_only: boolean };
  for await (const key of read<Key>('GET /repos/{owner}/{repo}/keys')) {
    inventory.deployKeys.push({ repository: name, id: String(key.id), title: key.title, readOnly: key.read_only });
  }
  const patterns = new Set<string>();
  type Branch = { name: string; commit: { sha: string } };
  const heads = new Map<string, string>();
  const branches = read<Branch>('GET /repos/{owner}/{repo}/branches', { parameters: { protected: true } });
  for await (const branch of branches) {
    patterns.add(branch.name);
    heads.set(branch.name, branch.commit.sha);
  }
  for await (const { id, target, enforcement } of read<Ruleset>('GET /repos/{owner}/{repo}/rulesets')) {
    if (enforcement !== 'active' || target === 'push') continue;
    const answer = await readOne<Ruleset>(client, {
      route: 'GET /repos/{owner}/{repo}/rulesets/{ruleset_id}',
      parameters: { ...where, ruleset_id: id },
    });
    for (const include of answer?.conditions?.ref_name?.include ?? []) {
      patterns.add(patternOf(include, repository.default_branch));
    }
  }
  // A ruleset's patterns name no heads; the default branch is the one that matters, and costs one request.
  if (patterns.has(repository.default_branch) && !heads.has(repository.default_branch)) {
    const branch = await readOne<Branch>(client, {
      route: 'GET /repos/{owner}/{repo}/branches/{branch}',
      parameters: { ...where, branch: repository.default_branch },
    });
    if (branch) heads.set(branch.name, branch.commit.sha);
  }
  const named = { repository: name, ...(repository.id === undefined ? {} : { repositoryId: String(repository.id) }) };
  for (const [branch, revision] of heads) inventory.heads.push({ ...named, branch, revision });
  if (patterns.size > 0) inventory.protected.push({ ...named, patterns: [...patterns] });
}

/** A listing that ends early where its repository went away meanwhile. */
async function* present<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    if (!(error instanceof GitHubRefused && error.answer.status === 404)) throw error;
  }
}

async function readOne<T>(client: GitHubClient, request: GitHubRequest): Promise<T | undefined> {
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  if (answer.status >= 300) throw new GitHubRefused(request, answer);
  return answer.data as T;
}

function toRunner(runner: Runner): Inventory['runners'][number] {
  const group = runner.runner_group_id === undefined ? {} : { groupId: String(runner.runner_group_id) };
  return { id: String(runner.id), name: runner.name, ...group, labels: runner.labels.map(({ name }) => name) };
}

/** A ruleset's pattern as a plain one of branch names; one of tags keeps its `refs/tags/`. */
function patternOf(include: string, defaultBranch: string): string {
  if (include === '~DEFAULT_BRANCH') return defaultBranch;
  if (include === '~ALL') return '**';
  return include.replace(/^refs\/heads\//, '');
}

/** Largest part, in bytes of JSON: well below what the log takes as one record. */
const partBytes = 512 * 1024;

/** An inventory as the data of its events, in as few parts as fit. An empty one is one empty part: it is told too. */
export function toParts(inventory: Inventory, maxBytes: number = partBytes): Attributes[] {
  const names = {
    runners: 'tripline.inventory.runners',
    heads: 'tripline.inventory.heads',
    protected: 'tripline.inventory.protected',
    members: 'tripline.inventory.members',
    deployKeys: 'tripline.inventory.deploy_keys',
    installations: 'tripline.inventory.installations',
  } as const;
  // Room for the names themselves and the part's number.
  const overheadBytes = 512;
  const parts: Record<string, unknown[]>[] = [{}];
  let bytes = overheadBytes;
  for (const [kind, name] of Object.entries(names)) {
    for (const item of inventory[kind as keyof Inventory]) {
      const itemBytes = Buffer.byteLength(JSON.stringify(item)) + 1;
      if (bytes + itemBytes > maxBytes && bytes > overheadBytes) {
        parts.push({});
        bytes = overheadBytes;
      }
      const part = parts.at(-1)!;
      part[name] ??= [];
      part[name].push(item);
      bytes += itemBytes;
    }
  }
  return parts.map((part, index) => ({
    ...part,
    'tripline.inventory.part': index + 1,
    'tripline.inventory.parts': parts.length,
  }));
}
