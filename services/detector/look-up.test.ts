import { loadConfig } from '@tripline/config/config';
import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { checkHealth } from '@tripline/health/health';
import { readImports } from '@tripline/health/imports';
import { createLogger } from '@tripline/runtime/logger';
import type { NewRecord } from '@tripline/stream/stream';
import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { internalKey } from '@tripline/testing/internal-key';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createImportTask, startImports } from './import-inventory.ts';
import { createLookUpTask } from './look-up.ts';
import { requestImportAnew } from './store/imports.ts';

const token = 'ghp_canaryReadOnlyToken0123456789abcdef';
const revision = 'a'.repeat(40);
const lookup = { id: 'q1', kind: 'reviews-of-commit', repository: 'acme/app', revision } as const;
const clock = { nowMs: () => Date.parse('2026-05-01T12:00:00Z'), pause: async () => {} };

let github: FakeService;
let answer: (request: string) => FakeAnswer;
let appended: NewRecord[];
let logged: string[];
const events = (): LoggedEvent[] =>
  appended.map((record, offset) =>
    fromEventRecord(record, { partition: 0, offset, appendedAtMs: 0 }, { checkWhole: true }),
  );

beforeEach(async () => {
  github = await startFakeService(({ method, path }) => answer(`${method} ${path.split('?', 1)[0]}`));
  answer = () => ({ status: 404, body: '{}' });
  appended = [];
  logged = [];
});
afterEach(() => github.close());

function parts(
  settings: { token?: string; workspaces?: { id: string; github: { organizations: { login: string }[] } }[] } = {
    token,
  },
) {
  const config = loadConfig({}, '/nonexistent');
  return {
    config: {
      ...config,
      internalKeys: [internalKey],
      workspaces: settings.workspaces ?? [],
      github: {
        ...config.github,
        apiUrl: github.url,
        ...(settings.token === undefined ? {} : { token: settings.token }),
      },
    },
    stream: {
      append: async (records: readonly NewRecord[]) => {
        appended.push(...records);
        return [];
      },
    },
    logger: createLogger({ service: 'detector', level: 'trace' }, { write: (line) => logged.push(line) }),
    clock,
    waitBaseMs: 1,
  };
}
const json = (body: unknown, status = 200): FakeAnswer => ({ status, body: JSON.stringify(body) });
const attempt = (attempts: number) => ({ job: { attempts } }) as never;

describe('a look-up', () => {
  const pull = {
    ...{ number: 7, state: 'closed', merged_at: '2026-05-01T11:00:00Z', merge_commit_sha: revision },
    ...{ user: { login: 'ada' }, head: { sha: 'b'.repeat(40) }, base: { ref: 'main' } },
  };
  const review = {
    ...{ id: 1, user: { login: 'bob', type: 'User' }, state: 'APPROVED', commit_id: 'b'.repeat(40) },
    ...{ author_association: 'MEMBER', submitted_at: '2026-05-01T10:00:00Z' },
  };

  test('answers with the reviews of the commit, under the id of the question', async () => {
    const commit = {
      ...{ sha: revision, parents: [{ sha: 'b'.repeat(40) }], author: { login: 'ada', id: 1, type: 'User' } },
      ...{ committer: { login: 'web-flow' }, commit: { verification: { verified: true } } },
    };
    const stranger = { login: 'carol', id: 3, type: 'User' };
    const reviews = [
      review,
      { ...review, id: 2, state: 'PENDING', submitted_at: undefined },
      { ...review, id: 3, user: null },
      // Strangers by the dozen keep nobody from being asked about whom the repository knows.
      ...Array.from({ length: 40 }, (_, nth) => ({
        ...{ ...review, id: 100 + nth, state: 'APPROVED', author_association: 'NONE' },
        user: { login: `other${nth}`, id: 100 + nth, type: 'User' },
      })),
      { ...review, id: 4, user: stranger, author_association: 'CONTRIBUTOR' },
    ];
    const answers: Record<string, unknown> = {
      [`/commits/${revision}`]: commit,
      [`/commits/${revision}/pulls`]: [pull],
      '/pulls/7': { ...pull, merged_by: { login: 'bob', id: 2 } },
      '/pulls/7/commits': [{ ...commit, sha: 'b'.repeat(40) }],
      '/pulls/7/reviews': reviews,
      '/collaborators/carol/permission': { permission: 'write' },
    };
    answer = (request) => {
      const body = answers[request.slice('GET /repos/acme/app'.length)];
      return body === undefined ? json({ message: 'no' }, 404) : json(body);
    };
    const lookUp = createLookUpTask(parts());
    await lookUp({ workspace: 'acme', lookup }, attempt(1));
    await lookUp({ workspace: 'acme', lookup }, attempt(1));
    const [event, again] = events();
    expect(again!.id).toBe(event!.id);
    expect(event).toMatchObject({
      type: 'dev.cdeventsx.tripline-change.looked-up',
      workspace: 'acme',
      data: {
        'tripline.lookup.id': 'q1',
        'tripline.lookup.outcome': 'found',
        'tripline.lookup.commit': { revision, parents: ['b'.repeat(40)], authorId: '1', verified: true },
        'tripline.lookup.changes': [
          {
            id: '7',
            state: 'merged',
            mergeRevision: revision,
            mergedAt: '2026-05-01T11:00:00Z',
            mergedById: '2',
            commits: [{ revision: 'b'.repeat(40), committer: 'web-flow' }],
            reviews: expect.arrayContaining([
              expect.objectContaining({ id: '1', author: 'bob', state: 'approved' }),
              expect.objectContaining({ id: '3', author: 'ghost' }),
              expect.objectContaining({ id: '4', authorId: '3', permission: 'write' }),
            ]),
          },
        ],
      },
    });
  });

  test('is unavailable at once when nothing is configured to ask with', async () => {
    await createLookUpTask(parts({}))({ workspace: 'acme', lookup }, attempt(1));
    expect(events()[0]!.data['tripline.lookup.outcome']).toBe('unavailable');
    expect(github.requests).toEqual([]);
  });

  test.each([404, 401, 422])('is unavailable when GitHub refuses with %i', async (status) => {
    answer = () => ({ status, body: '{"message":"no"}' });
    await createLookUpTask(parts())({ workspace: 'acme', lookup }, attempt(1));
    expect(events()[0]!.data['tripline.lookup.outcome']).toBe('unavailable');
  });

  test('waits for a rate limit as GitHub asks', async () => {
    let limited = 2;
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 5) };
    answer = (request) => {
      limited -= 1;
      if (limited >= 0) return { status: 403, headers, body: '{"message":"API rate limit exceeded"}' };
      return json(request.endsWith('/pulls') ? [] : { sha: revision });
    };
    await createLookUpTask(parts())({ workspace: 'acme', lookup }, attempt(1));
    expect(github.requests).toHaveLength(4);
    expect(events()[0]!.data).toMatchObject({ 'tripline.lookup.outcome': 'found', 'tripline.lookup.changes': [] });
  });

  test('is tried again while GitHub is down, and unavailable when it stays so', async () => {
    answer = () => ({ status: 502 });
    const lookUp = createLookUpTask(parts());
    await expect(lookUp({ workspace: 'acme', lookup }, attempt(1))).rejects.toThrow('502');
    expect(appended).toEqual([]);
    await lookUp({ workspace: 'acme', lookup }, attempt(4));
    expect(events()[0]!.data['tripline.lookup.outcome']).toBe('unavailable');
    expect(logged.join('')).not.toContain(token);
  });
});

describe('an import', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(() => database.close());

  const workspaces = [{ id: 'acme', github: { organizations: [{ login: 'acme' }, { login: 'acme-labs' }] } }];
  const jobs = async () => (await database.db.pool.query(`SELECT key FROM graphile_worker.jobs`)).rows;

  /** Two organisations, each with a runner, a member and one repository with a protected default branch and a key. */
  function twoOrganisations(request: string): FakeAnswer {
    const [, org] = /\/(?:orgs|repos)\/([^/]+)/.exec(request)!;
    if (request.endsWith(`/orgs/${org}/actions/runners`))
      return json({ runners: [{ id: 1, name: `${org}-runner`, labels: [] }] });
    if (request.endsWith('/hosted-runners')) return json({ runners: [{ id: 4, name: 'large', runner_group_id: 7 }] });
    if (request.endsWith('/runner-groups')) {
      const group = (id: number, name: string, inherited: boolean) => ({ id, name, inherited, default: id === 1 });
      const groups = [group(1, 'Default', false), group(7, 'Large', false), group(9, 'Enterprise', true)];
      return json({ runner_groups: groups });
    }
    if (request.endsWith('/runner-groups/9/runners'))
      return json({ runners: [{ id: 70, name: `${org}-shared`, labels: [] }] });
    if (request.endsWith('/members')) return json([{ login: `${org}-person`, id: 50 }]);
    if (request.endsWith('/installations'))
      return json({ installations: [{ id: 5, app_slug: 'bot', permissions: { contents: 'read' } }] });
    if (request.endsWith(`/orgs/${org}/repos`))
      return json([{ id: 6, full_name: `${org}/app`, default_branch: 'main', archived: false, owner: { id: 77 } }]);
    if (request.endsWith('/keys')) return json([{ id: 3, title: 'key ghp_canaryInATitle0123456789', read_only: true }]);
    if (request.endsWith('/branches')) return json([]);
    if (request.endsWith('/branches/main')) return json({ name: 'main', commit: { sha: revision } });
    if (request.endsWith('/rulesets')) return json([{ id: 8, target: 'branch', enforcement: 'active' }]);
    if (request.endsWith('/rulesets/8')) {
      return json({
        id: 8,
        enforcement: 'active',
        conditions: { ref_name: { include: ['~DEFAULT_BRANCH', 'refs/heads/release/*'] } },
      });
    }
    return json({ runners: [] });
  }

  test('is asked for once, and tells the log what is already true', async () => {
    answer = twoOrganisations;
    const all = { ...parts({ token, workspaces }), db: database.as('detector') };
    await startImports(all);
    expect(await jobs()).toEqual([{ key: 'import:acme' }]);
    await createImportTask(all)({ workspace: 'acme' });
    const [event] = events();
    expect(event).toMatchObject({
      id: expect.stringMatching(/^inventory:acme:\d+:1$/),
      type: 'dev.cdeventsx.tripline-inventory.observed',
      data: {
        'tripline.inventory.runners': [
          { name: 'acme-runner', ownerId: '77' },
          { name: 'acme-shared', groupId: '9' },
          { name: 'acme-labs-runner' },
          { name: 'acme-labs-shared' },
        ],
        'tripline.inventory.runner_groups': [
          { id: '1', hosted: [], selfHosted: 0, isDefault: true },
          { id: '7', ownerId: '77', hosted: ['large'], selfHosted: 0, isDefault: false },
          { id: '9', name: 'Enterprise', selfHosted: 1 },
          {},
          {},
          {},
        ],
        'tripline.inventory.members': [{ id: '50' }, { role: 'member' }, {}, {}],
        'tripline.inventory.heads': [
          { repository: 'acme/app', branch: 'main', revision },
          { repository: 'acme-labs/app' },
        ],
        'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main', 'release/*'] }, {}],
      },
    });
    expect(JSON.stringify(event)).not.toContain('ghp_canary');
    const [known] = await readImports(database.db);
    expect(known).toMatchObject({
      workspace: 'acme',
      failed: null,
      progress: null,
      imported: { counts: { runners: 4, runnerGroups: 6, heads: 2, members: 4, deployKeys: 2, installations: 2 } },
    });
    await database.db.pool.query('DELETE FROM graphile_worker._private_jobs');
    await startImports(all);
    expect(await jobs()).toEqual([]);
  });

  test.each([
    ['rulesets', '/acme/app/rulesets'],
    ['one ruleset', '/acme/app/rulesets/8'],
    ['protected branches', '/acme/app/branches'],
  ])(
    'leaves unknown what protects a repository whose %s it may not read, says so, and reads all else',
    async (_, end) => {
      answer = (request) => {
        if (request.endsWith(end)) return json({ message: 'Upgrade to GitHub Pro to enable this feature' }, 403);
        return request.endsWith('/rulesets') && end === '/acme/app/branches' && request.includes('/acme/')
          ? json([])
          : twoOrganisations(request);
      };
      const all = { ...parts({ token, workspaces }), db: database.as('detector') };
      await createImportTask(all)({ workspace: 'acme' });
      const { data } = events()[0]!;
      expect(data['tripline.inventory.protected']).toMatchObject([{ repository: 'acme-labs/app' }]);
      expect(data['tripline.inventory.runners']).toHaveLength(4);
      const [known] = await readImports(database.db);
      expect(known).toMatchObject({ failed: null, imported: { counts: { deployKeys: 2, unknownProtections: 1 } } });
      expect(logged.join('')).toContain('Upgrade to GitHub Pro');
      const checks = await checkHealth(database.as('cli'), { workspaces: [] } as never);
      expect(checks.find(({ name }) => name === 'import of acme')).toMatchObject({
        state: 'ok',
        detail: expect.stringContaining('what protects 1 repositories may not be read'),
        remedy: expect.stringContaining('administration: read'),
      });
    },
  );

  test('takes a rate limit for no missing permission', async () => {
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 5) };
    let limited = 0;
    answer = (request) => {
      if (!request.endsWith('/acme/actions/runner-groups')) return twoOrganisations(request);
      limited += 1;
      return { status: 403, headers, body: '{"message":"API rate limit exceeded"}' };
    };
    const all = { ...parts({ token, workspaces }), db: database.as('detector') };
    await expect(createImportTask(all)({ workspace: 'acme' })).rejects.toThrow(/rate limit/);
    expect(limited).toBeGreaterThan(0);
    expect(appended).toEqual([]);
  });

  test('is all or nothing: what may not be read is named, and rules go on learning', async () => {
    answer = (request) =>
      request.endsWith('/orgs/acme/installations')
        ? json({ message: 'Must have admin rights' }, 403)
        : twoOrganisations(request);
    const all = { ...parts({ token, workspaces }), db: database.as('detector') };
    await createImportTask(all)({ workspace: 'acme' });
    expect(appended).toEqual([]);
    const [known] = await readImports(database.db);
    expect(known).toMatchObject({
      imported: null,
      failed: { reason: expect.stringContaining('GET /orgs/{org}/installations with 403: Must have admin rights') },
    });
    // The next start tries again.
    await startImports(all);
    expect(await jobs()).toEqual([{ key: 'import:acme' }]);
  });

  test('without anything to read with fails by name, and asks nobody', async () => {
    let asked = 0;
    answer = (request) => {
      asked += 1;
      return twoOrganisations(request);
    };
    await createImportTask({ ...parts({ workspaces }), db: database.as('detector') })({ workspace: 'acme' });
    expect(asked).toBe(0);
    const [known] = await readImports(database.db);
    expect(known!.failed?.reason).toMatch(/^no GitHub App and no token is configured to read with/);
  });

  test('that is asked for again tells the log anew, and says who asked', async () => {
    answer = twoOrganisations;
    const all = { ...parts({ token, workspaces }), db: database.as('detector') };
    const importInventory = createImportTask(all);
    await importInventory({ workspace: 'acme' });
    const by = { via: 'cli', id: 'ada', name: 'ada', proof: 'os-user' } as const;
    await requestImportAnew(database.as('cli'), 'acme', by);
    expect(await jobs()).toEqual([{ key: 'import:acme' }]);
    await importInventory({ workspace: 'acme' });
    // The job that is tried again tells nothing anew.
    await importInventory({ workspace: 'acme' });
    const [first, again, tried] = events().map(({ id }) => id);
    expect(again).not.toBe(first);
    expect(tried).toBe(again);
    const { rows } = await database.db.pool.query('SELECT data FROM outbox');
    expect(rows.map(({ data }) => data)).toMatchObject([
      { 'tripline.act.kind': 'inventory-import-asked', 'tripline.act.target': 'acme', 'user.name': 'ada' },
    ]);
  });

  test('goes without groups of runners where they may not be listed', async () => {
    answer = (request) =>
      request.includes('runner-groups') || request.endsWith('/hosted-runners')
        ? json({ message: 'no' }, 403)
        : twoOrganisations(request);
    await createImportTask({ ...parts({ token, workspaces }), db: database.as('detector') })({ workspace: 'acme' });
    expect(events()[0]!.data).not.toHaveProperty('tripline.inventory.runner_groups');
    expect((await readImports(database.db))[0]).toMatchObject({
      imported: { counts: { runners: 2, runnerGroups: 0 } },
    });
  });

  test('tells of a repository that nothing of it is protected, but where that may only not be read', async () => {
    const protectedIn = async (more: (request: string) => FakeAnswer | undefined) => {
      appended.length = 0;
      answer = (request) => more(request) ?? twoOrganisations(request);
      await createImportTask({ ...parts({ token, workspaces }), db: database.as('detector') })({ workspace: 'acme' });
      return (events()[0]!.data as Attributes)['tripline.inventory.protected'];
    };
    const nothing = (request: string) => (request.endsWith('/rulesets') ? json([]) : undefined);
    expect(await protectedIn(nothing)).toMatchObject([
      { repository: 'acme/app', repositoryId: '6', patterns: [] },
      { repository: 'acme-labs/app', patterns: [] },
    ]);
    const gone = (part: string) => (request: string) =>
      request.endsWith(part) ? json({ message: 'Not Found' }, 404) : undefined;
    expect(await protectedIn((request) => gone('/branches')(request) ?? nothing(request))).toBeUndefined();
    expect(await protectedIn(gone('/rulesets'))).toBeUndefined();
    expect(await protectedIn(gone('/rulesets/8'))).toBeUndefined();
    const ofTags = { id: 8, target: 'tag', enforcement: 'active', conditions: { ref_name: { include: ['~ALL'] } } };
    const tags = (request: string) =>
      request.endsWith('/rulesets') ? json([ofTags]) : request.endsWith('/rulesets/8') ? json(ofTags) : undefined;
    expect(await protectedIn(tags)).toMatchObject([{ patterns: ['refs/tags/**/*'] }, {}]);
  });

  test('is nothing at all where nothing is configured to read with', async () => {
    await startImports({ ...parts({ workspaces }), db: database.as('detector') });
    expect(await readImports(database.db)).toEqual([]);
  });
});
