import type { Attributes } from '@tripline/contracts/attributes';
import { outcomeOf } from './classify.ts';
import { type GitHubClient, GitHubRefusedError, type GitHubRequest, ownerAndRepo } from './client.ts';

type List<Name extends keyof Attributes> = NonNullable<Attributes[Name]>;

/** What is already true in an organisation, as GitHub tells it. */
export type Inventory = {
  runners: List<'tripline.inventory.runners'>;
  runnerGroups: List<'tripline.inventory.runner_groups'>;
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

export type ListedRepository = {
  id?: number | bigint;
  full_name: string;
  default_branch: string;
  archived: boolean;
  visibility?: string;
  owner?: { id: number | bigint };
};
type RunnerGroup = { id: number | bigint; name: string; inherited: boolean; default?: boolean };
type HostedRunner = { name: string; runner_group_id?: number };
type Runner = { id: number | bigint; name: string; runner_group_id?: number; labels: { name: string }[] };
type Ruleset = { id: number; target?: string; enforcement: string; conditions?: { ref_name?: { include?: string[] } } };

/** Progress: number of repositories read, and of all. */
export type InventoryProgress = { repositories: number; of: number };

export const emptyInventory = (): Inventory => ({
  ...{ runners: [], runnerGroups: [], heads: [], protected: [], members: [], deployKeys: [], installations: [] },
});

/** Who is told while an inventory is read. `onUnknown`: what protects this repository may not be read, by GitHub's words `why`. */
export type InventoryReader = {
  onProgress?: (progress: InventoryProgress) => Promise<void>;
  onUnknown?: (repository: string, why: string) => void;
};

/**
 * Reads what is already true in `organization`. All or nothing: an inventory without its runners would end the learning
 * of rules that then call every runner new. Where groups of runners or hosted ones cannot be listed (a plan without them, a
 * token that may not), none are told; where a repository's protections may not be read, they are unknown.
 * @throws {GitHubRefusedError} {@link NoAnswerError}
 */
export async function readInventory(
  client: GitHubClient,
  organization: string,
  { onProgress = async () => {}, onUnknown = () => {} }: InventoryReader = {},
): Promise<Inventory> {
  const org = { org: organization };
  const inventory = emptyInventory();
  const runners = { route: 'GET /orgs/{org}/actions/runners', parameters: org };
  for await (const runner of client.list<Runner>(runners, { under: 'runners' }))
    inventory.runners.push(toRunner(runner));
  await readRunnerGroups(client, org, inventory);
  for (const role of ['admin', 'member']) {
    const members = { route: 'GET /orgs/{org}/members', parameters: { ...org, role } };
    type Member = { login: string; id?: number | bigint };
    for await (const { login, id } of client.list<Member>(members, { maxItems: 50_000 })) {
      inventory.members.push({ login, role, ...(id === undefined ? {} : { id: String(id) }) });
    }
  }
  const installations = { route: 'GET /orgs/{org}/installations', parameters: org };
  type Installation = { id: number | bigint; app_slug: string; permissions: Record<string, string> };
  for await (const { id, app_slug, permissions } of client.list<Installation>(installations, {
    under: 'installations',
  })) {
    inventory.installations.push({ id: String(id), app: app_slug, permissions });
  }
  const repositories = await listRepositories(client, organization, mostRepositories);
  for (let at = 0; at < repositories.length; at += repositoriesAtOnce) {
    await onProgress({ repositories: at, of: repositories.length });
    const some = repositories.slice(at, at + repositoriesAtOnce);
    await Promise.all(some.map((repository) => readRepository(client, repository, inventory, onUnknown)));
  }
  await onProgress({ repositories: repositories.length, of: repositories.length });
  const owner = repositories.find((repository) => repository.owner !== undefined)?.owner;
  return owner === undefined ? inventory : ownedBy(inventory, String(owner.id));
}

/** Those that are not archived, the last pushed to first: archived ones accept no pushes and run no workflows. @throws {GitHubRefusedError} */
export async function listRepositories(
  client: GitHubClient,
  organization: string,
  maxItems: number,
): Promise<ListedRepository[]> {
  const repositories: ListedRepository[] = [];
  const parameters = { org: organization, type: 'all', sort: 'pushed' };
  for await (const repository of client.list<ListedRepository>(
    { route: 'GET /orgs/{org}/repos', parameters },
    { maxItems },
  )) {
    if (!repository.archived) repositories.push(repository);
  }
  return repositories;
}

/** Numbers of runners and of their groups are an organisation's own. */
function ownedBy(inventory: Inventory, ownerId: string): Inventory {
  return {
    ...inventory,
    runners: inventory.runners.map((runner) => ({ ...runner, ownerId })),
    runnerGroups: inventory.runnerGroups.map((group) => ({ ...group, ownerId })),
  };
}

/** The organisation's groups of runners, which of GitHub's larger ones are in them, and the enterprise's runners that it may use. */
async function readRunnerGroups(client: GitHubClient, org: { org: string }, inventory: Inventory): Promise<void> {
  const hosted = new Map<string, string[]>();
  const hostedRunners = { route: 'GET /orgs/{org}/actions/hosted-runners', parameters: org };
  for await (const { name, runner_group_id } of permitted(
    client.list<HostedRunner>(hostedRunners, { under: 'runners' }),
  )) {
    const group = String(runner_group_id);
    hosted.set(group, [...(hosted.get(group) ?? []), name]);
  }
  const groups = { route: 'GET /orgs/{org}/actions/runner-groups', parameters: org };
  for await (const group of permitted(client.list<RunnerGroup>(groups, { under: 'runner_groups' }))) {
    const id = String(group.id);
    const own = inventory.runners.filter(({ groupId }) => groupId === id);
    const listed = {
      route: 'GET /orgs/{org}/actions/runner-groups/{runner_group_id}/runners',
      parameters: { ...org, runner_group_id: group.id },
    };
    // Those of an enterprise stand in no list of the organisation's own.
    const asks = group.inherited || hosted.has(id);
    for await (const runner of asks ? permitted(client.list<Runner>(listed, { under: 'runners' })) : []) {
      const known = toRunner({ ...runner, runner_group_id: Number(group.id) });
      if (own.some((other) => other.id === known.id && other.name === known.name)) continue;
      own.push(known);
      inventory.runners.push(known);
    }
    const isDefault = group.default === undefined ? {} : { isDefault: group.default };
    const told = { id, name: group.name, hosted: hosted.get(id) ?? [], selfHosted: own.length, ...isDefault };
    inventory.runnerGroups.push(told);
  }
}

async function readRepository(
  client: GitHubClient,
  repository: ListedRepository,
  inventory: Inventory,
  onUnknown: NonNullable<InventoryReader['onUnknown']>,
): Promise<void> {
  const name = repository.full_name;
  const named = { repository: name, ...(repository.id === undefined ? {} : { repositoryId: String(repository.id) }) };
  const where = ownerAndRepo(name);
  const read = <T>(route: string, options: { under?: string } = {}) =>
    present(client.list<T>({ route, parameters: where }, options));

  for await (const runner of read<Runner>('GET /repos/{owner}/{repo}/actions/runners', { under: 'runners' })) {
    inventory.runners.push({ ...toRunner(runner), ...named });
  }
  type Key = { id: number | bigint; title: string; read_only: boolean };
  for await (const key of read<Key>('GET /repos/{owner}/{repo}/keys')) {
    inventory.deployKeys.push({ repository: name, id: String(key.id), title: key.title, readOnly: key.read_only });
  }
  const known = { patterns: new Set<string>(), heads: new Map<string, string>() };
  let isWhole = false;
  try {
    isWhole = await readProtections(client, repository, known);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    onUnknown(name, error.message);
  }
  const { patterns, heads } = known;
  for (const [branch, revision] of heads) inventory.heads.push({ ...named, branch, revision });
  // One of which nothing is protected is told as such: who pushes to it gets round nothing.
  if (patterns.size > 0 || isWhole) inventory.protected.push({ ...named, patterns: [...patterns] });
}

type Branch = { name: string; commit: { sha: string } };

/** Adds what protects a repository's branches, and where those stand; answers whether nothing of it was missing. */
async function readProtections(
  client: GitHubClient,
  repository: ListedRepository,
  { patterns, heads }: { patterns: Set<string>; heads: Map<string, string> },
): Promise<boolean> {
  const where = ownerAndRepo(repository.full_name);
  let isWhole = true;
  const listed = <T>(route: string, parameters: object = {}) =>
    present(client.list<T>({ route, parameters: { ...where, ...parameters } }), () => {
      isWhole = false;
    });
  for await (const branch of listed<Branch>('GET /repos/{owner}/{repo}/branches', { protected: true })) {
    patterns.add(branch.name);
    heads.set(branch.name, branch.commit.sha);
  }
  for await (const { id, target, enforcement } of listed<Ruleset>('GET /repos/{owner}/{repo}/rulesets')) {
    if (enforcement !== 'active' || target === 'push') continue;
    const answer = await readOne<Ruleset>(client, {
      route: 'GET /repos/{owner}/{repo}/rulesets/{ruleset_id}',
      parameters: { ...where, ruleset_id: id },
    });
    if (answer === undefined) isWhole = false;
    for (const include of answer?.conditions?.ref_name?.include ?? []) {
      patterns.add(patternOf(include, target, repository.default_branch));
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
  return isWhole;
}

/** A permission or a plan is missing, and not the allowance of requests used up. */
export function isForbidden(error: unknown): error is GitHubRefusedError {
  return error instanceof GitHubRefusedError && outcomeOf(error.answer, 0).reason === 'forbidden';
}

/** A listing that ends early when its repository is deleted meanwhile; `onMissing` is told. */
async function* present<T>(items: AsyncGenerator<T>, onMissing?: () => void): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    if (!(error instanceof GitHubRefusedError && error.answer.status === 404)) throw error;
    onMissing?.();
  }
}

/** A listing, empty where it is missing or not permitted. */
async function* permitted<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    const isMissing = error instanceof GitHubRefusedError && error.answer.status === 404;
    if (!isMissing && !isForbidden(error)) throw error;
  }
}

async function readOne<T>(client: GitHubClient, request: GitHubRequest): Promise<T | undefined> {
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  if (answer.status >= 300) throw new GitHubRefusedError(request, answer);
  return answer.data as T;
}

function toRunner(runner: Runner): Inventory['runners'][number] {
  const group = runner.runner_group_id === undefined ? {} : { groupId: String(runner.runner_group_id) };
  return { id: String(runner.id), name: runner.name, ...group, labels: runner.labels.map(({ name }) => name) };
}

/** A ruleset's pattern as a plain one of branch names; one of tags keeps its `refs/tags/`. */
function patternOf(include: string, target: string | undefined, defaultBranch: string): string {
  if (include === '~DEFAULT_BRANCH') return defaultBranch;
  if (include === '~ALL') return target === 'tag' ? 'refs/tags/**/*' : '**';
  return include.replace(/^refs\/heads\//, '');
}

/** Largest part, in bytes of JSON: well below what the log takes as one record. */
const partBytes = 512 * 1024;

/**
 * An inventory as the data of its events, in as few parts as fit. An empty one is one empty part, which is recorded
 * too.
 */
export function toParts(inventory: Inventory, maxBytes: number = partBytes): Attributes[] {
  const names = {
    runners: 'tripline.inventory.runners',
    runnerGroups: 'tripline.inventory.runner_groups',
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
