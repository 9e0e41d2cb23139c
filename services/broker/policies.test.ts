import { exampleFiles, exampleLock, examplePolicies } from '@tripline/access/access.example';
import { settings } from '@tripline/config/settings';
import type { Db } from '@tripline/db/database';
import { checkHealth } from '@tripline/health/health';
import type { PolicyCommit } from '@tripline/integrations/github/policy-files';
import { createLogger } from '@tripline/runtime/logger';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { brokerKey } from '@tripline/testing/internal-key';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRepositoryPolicies, type RepositoryPolicies } from './policies.ts';

const sha = (name: string) => Buffer.from(name).toString('hex').padEnd(40, '0');
const wider = examplePolicies.replace('contents: read', 'contents: write');

describe('policies of a repository', () => {
  let owner: Db;
  let db: Db;
  let stream: ReturnType<typeof fakeStream>;
  let atMs: number;
  /** What GitHub says of the branch; null: it is away. */
  let head: PolicyCommit | null;
  let open: RepositoryPolicies[];
  forEachTest((fresh) => {
    owner = fresh.db;
    db = fresh.as('broker');
  });
  beforeEach(() => {
    [stream, atMs, head, open] = [fakeStream(), Date.parse('2026-11-28T12:00:00Z'), null, []];
  });
  afterEach(async () => {
    for (const one of open) await one.close();
  });

  const commit = (name: string, policies = examplePolicies, more: Partial<PolicyCommit> = {}): PolicyCommit => ({
    ...{ repositoryId: '90', revision: sha(name), policies, lock: exampleLock, files: exampleFiles },
    ...more,
  });
  /** What the detector tells of a commit that was pushed on top of another. */
  const told = (
    name: string,
    reviewed: 'reviewed' | 'unreviewed' | 'unknown',
    before: string | null,
    repository = '90',
  ) =>
    owner.pool.query(
      `INSERT INTO known_heads VALUES ('acme', $1, $2, $3, $4, 'by bea', now())
       ON CONFLICT (workspace, repository, revision) DO UPDATE SET reviewed = excluded.reviewed`,
      [`github:github.com:${repository}`, sha(name), before === null ? null : sha(before), reviewed],
    );
  async function start(eventKeys: [string, ...string[]] = [brokerKey]) {
    const config = {
      ...settings.parse({
        identity: { audience: 'https://access.acme.example', github: [{ owners: ['65'] }] },
        broker: { policy: { repository: 'acme/access' }, eventKeys },
      }),
      ...{ dataDir: '/', baseDir: '/', file: null, remarks: [] },
    };
    // What waits between looks never ends: the test looks.
    const clock = {
      nowMs: () => atMs,
      pause: (_: number, signal?: AbortSignal) =>
        new Promise<void>((end) => (signal?.aborted ? end() : signal?.addEventListener('abort', () => end()))),
    };
    const started = await createRepositoryPolicies({
      ...{ config, db, stream, clock, logger: createLogger({ service: 'broker', level: 'silent' }) },
      readCommit: async (known) => {
        if (head === null) throw new Error('GitHub is away');
        return head.revision === known ? undefined : head;
      },
    });
    open.push(started);
    await started.look();
    return started;
  }
  const revisionOf = ({ current }: RepositoryPolicies) => {
    const now = current();
    return 'fault' in now ? 'none' : now.revision;
  };
  const events = () =>
    stream.appended.map(({ value }) => {
      const data = JSON.parse(value.toString());
      const { 'tripline.policy.outcome': outcome, 'tripline.policy.change': change = '' } = data;
      return `${outcome} ${change}`.trim();
    });
  const health = async () =>
    (await checkHealth(owner, { workspaces: [] })).filter(({ name }) => name === 'policies').map(({ state }) => state);

  test('are in force at a reviewed commit, and the log is told what changed', async () => {
    head = commit('one');
    await told('one', 'reviewed', null);
    const policies = await start();
    expect(revisionOf(policies)).toBe(sha('one'));
    head = commit('two', wider);
    await told('two', 'reviewed', 'one');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('two'));
    expect(events()).toEqual(['in-force first', 'in-force wider']);
    expect(await health()).toEqual([]);
  });

  test('are in force with the files that they name, whose other text is a change', async () => {
    head = commit('one');
    await told('one', 'reviewed', null);
    const policies = await start();
    expect(policies.current()).toMatchObject({ files: exampleFiles });
    const file = '{"Version":"2012-10-17","Statement":[]}';
    head = commit('two', examplePolicies, { files: { 'aws/deploy-api.json': file } });
    await told('two', 'unreviewed', 'one');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
    await told('two', 'reviewed', 'one');
    await policies.look();
    expect(policies.current()).toMatchObject({ files: { 'aws/deploy-api.json': file } });
    expect(events().at(-1)).toBe('in-force other');
    // Another process goes on with them, and with no text that a writer of the table put there.
    head = null;
    expect((await start()).current()).toMatchObject({ files: { 'aws/deploy-api.json': file }, revision: sha('two') });
    await owner.pool.query(`UPDATE access_policies SET files = '{"aws/deploy-api.json":"{}"}'`);
    expect(revisionOf(await start())).toBe('none');
  });

  test('that give what changes them are not taken', async () => {
    const lock = `${exampleLock}  acme/access: { id: '90', owner: '65' }\n`;
    const itself = (permissions: string) =>
      examplePolicies.replace(
        'repositories: [acme/api], permissions: { contents: read, deployments: write }',
        `repositories: [acme/api, acme/access], permissions: { ${permissions} }`,
      );
    head = commit('one', itself('contents: read, pull_requests: write'), { lock });
    await told('one', 'reviewed', null);
    const policies = await start();
    expect(revisionOf(policies)).toBe('none');
    expect(stream.appended[0]!.value.toString()).toContain(
      'pull_requests: write on acme/access, where the policies lie',
    );
    head = commit('two', itself('contents: read'), { lock });
    await told('two', 'reviewed', 'one');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('two'));
  });

  test.each([
    ['is not there', {}],
    ['is longer than 2048', { 'aws/deploy-api.json': `{"a":"${'x'.repeat(2048)}"}` }],
    ['is no policy of IAM', { 'aws/deploy-api.json': '[]' }],
    ['is no policy of IAM', { 'aws/deploy-api.json': 'Version: 1' }],
  ])('that name a file which %s are not taken', async (why, files) => {
    head = commit('one', examplePolicies, { files });
    await told('one', 'reviewed', null);
    expect(revisionOf(await start())).toBe('none');
    expect(events()).toEqual(['refused']);
    expect(stream.appended[0]!.value.toString()).toContain('aws/deploy-api.json');
    expect(stream.appended[0]!.value.toString()).toContain(why);
  });

  test('of a commit that nobody reviewed, or that rests on one, leave the former in force, until a revert', async () => {
    head = commit('one');
    await told('one', 'reviewed', null);
    const policies = await start();
    await told('two', 'unreviewed', 'one');
    head = commit('two', wider);
    await policies.look();
    await policies.look();
    await told('three', 'reviewed', 'two');
    head = commit('three', wider);
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
    expect(events()).toEqual(['in-force first', 'refused', 'refused']);
    expect(await health()).toEqual(['broken']);
    // Put back to what is in force, it needs no review; what comes after it does.
    head = commit('four');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('four'));
    expect(await health()).toEqual([]);
    await told('five', 'reviewed', 'four');
    head = commit('five', wider);
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('five'));
  });

  test('wait for a review that is on its way, and say so after a minute', async () => {
    head = commit('one');
    const policies = await start();
    expect(revisionOf(policies)).toBe('none');
    expect([events(), await health()]).toEqual([[], []]);
    atMs += 60_000;
    await policies.look();
    expect([events(), await health()]).toEqual([[], ['broken']]);
    await told('one', 'reviewed', null, '91');
    await policies.look();
    expect(revisionOf(policies)).toBe('none');
    await told('one', 'reviewed', null);
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
    // One whose push was never received is not known to come after it.
    await told('three', 'reviewed', 'two');
    head = commit('three', wider);
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
  });

  test.each([
    ['no YAML', 'audience: ['],
    ['of another audience', examplePolicies.replace('access.acme.example', 'other.example')],
    ['with an error of lint', examplePolicies.replace('      reviewed: true\n', '')],
    ['with a test that fails', examplePolicies.replace('expect: granted', 'expect: denied')],
  ])('%s are refused', async (_, text) => {
    head = commit('one');
    await told('one', 'reviewed', null);
    const policies = await start();
    head = commit('two', text);
    await told('two', 'reviewed', 'one');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
    expect(events()).toEqual(['in-force first', 'refused']);
  });

  test('say what is to be done by what keeps them from being in force', async () => {
    const said = async () =>
      (await checkHealth(owner, { workspaces: [] }))
        .filter(({ name }) => name === 'policies')
        .map(({ detail, remedy }) => `${detail} → ${remedy}`);
    const policies = await start();
    atMs += 60_000;
    await policies.look();
    expect(await said()).toEqual([
      expect.stringMatching(
        /none are in force, and every job is answered 503\): .* cannot be read: GitHub is away → see that github.app or github.token may read/,
      ),
    ]);
    head = commit('one');
    await policies.look();
    atMs += 60_000;
    await policies.look();
    expect(await said()).toEqual([
      expect.stringMatching(/is reviewed is not known: .* → see that the webhook of that/),
    ]);
    await told('one', 'reviewed', null);
    await policies.look();
    expect(await said()).toEqual([]);
    head = commit('two', wider);
    await told('two', 'unreviewed', 'one');
    await policies.look();
    expect(await said()).toEqual([
      expect.stringMatching(/\(the former ones decide\): .* is not reviewed: .* → have somebody else than its author/),
    ]);
    head = commit('three', examplePolicies.replace('tiers:', 'teirs:'));
    await told('three', 'reviewed', 'one');
    await policies.look();
    expect(await said()).toEqual([expect.stringMatching(/it cannot be used: .*teirs.* → correct what it names/s)]);
    head = commit('four', wider, { repositoryId: '91' });
    await policies.look();
    expect(await said()).toEqual([expect.stringMatching(/is another repository by now.* → find out who has the name/)]);
  });

  test('of a namesake are refused', async () => {
    head = commit('one');
    await told('one', 'reviewed', null);
    const policies = await start();
    head = commit('two', wider, { repositoryId: '91' });
    await told('two', 'reviewed', 'one', '91');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
    expect(events()).toEqual(['in-force first', 'refused']);
  });

  test('are in force after a start without GitHub, unless somebody else wrote the row', async () => {
    head = commit('one');
    await told('one', 'reviewed', null);
    await start();
    head = null;
    expect(revisionOf(await start())).toBe(sha('one'));
    expect(revisionOf(await start(['another-key-of-32-characters-or-so', brokerKey]))).toBe(sha('one'));
    expect(revisionOf(await start(['another-key-of-32-characters-or-so']))).toBe('none');
    await owner.pool.query(
      `INSERT INTO access_policies (repository_id, repository, branch, path, revision, policies, lock, sha256, reviewed, mac)
       SELECT repository_id, repository, branch, path, revision, $1, lock, sha256, reviewed, mac FROM access_policies`,
      [wider],
    );
    const policies = await start();
    expect(revisionOf(policies)).toBe('none');
    // It is read again, and not from the row.
    head = commit('one');
    await policies.look();
    expect(revisionOf(policies)).toBe(sha('one'));
  });
});
