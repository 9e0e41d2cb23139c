import { exampleLock, examplePolicies } from '@tripline/access/access.example';
import { decide } from '@tripline/access/decide';
import type { LoggedJob } from '@tripline/access/known-run';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { loadConfig } from '@tripline/config/config';
import type { Entity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { knownRunPayload, knownRunsChannel } from '@tripline/db/known-runs';
import { resolve } from '@tripline/incidents/incidents';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { partitionOf } from '@tripline/stream/partition';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { describe, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import type { AsSpent, ProvedJob } from './asking.ts';
import { createGather, type GatherParts } from './gather.ts';
import { keysOfJob } from './keys.ts';
import { openRunNews } from './run-news.ts';
import { spend } from './store/spent.ts';

const nowMs = Date.parse('2026-11-28T12:00:00Z');
const sha = '1'.repeat(40);
const job = {
  ...{ provider: 'github', issuer: 'https://token.actions.githubusercontent.com', cautions: [] },
  ...{ repository: { id: '74', name: 'acme/api' }, owner: { id: '65', name: 'acme' }, checkRunId: '501' },
  ...{ run: { id: '9', attempt: 2 }, event: 'push', ref: 'refs/heads/main', sha, environment: 'production' },
  caller: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main', sha },
  workflow: { ref: 'acme/deploy/.github/workflows/deploy.yml@refs/heads/main', sha },
  ...{ runnerEnvironment: 'self-hosted', actor: { id: '41', name: 'ada' }, headRef: null, baseRef: null },
} as unknown as ProvedJob;
const { owner: _, ...logged } = job;
const told: LoggedJob = {
  name: 'deploy',
  job: { ...logged, actor: { id: '42', name: 'bea' } },
  referenced: [],
  known: {
    ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: ['staging'] },
    runner: { group: 'prod-deployers', isKnown: true },
  },
  things: [{ kind: 'runner', id: 'github:github.com:117' }],
  startedMs: nowMs - 5000,
  finishedMs: undefined,
};
/** The attempt that ada set off; bea ran it again. */
const first: LoggedJob = { ...told, job: { ...logged, run: { id: '9', attempt: 1 }, checkRunId: '400' } };
const file = readPolicies(examplePolicies);
const policy = file.policies['deploy-api']!;

describe('what is told of a job that asks', () => {
  let owner: Db;
  let db: Db;
  forEachTest((fresh) => {
    owner = fresh.db;
    db = fresh.as('broker');
  });

  const tell = (jobs: readonly LoggedJob[], workspace = 'acme', run = 'github:github.com:74#9') =>
    owner.pool.query(
      `INSERT INTO known_runs VALUES ($1, $2, $3, now()) ON CONFLICT (workspace, run) DO UPDATE SET jobs = excluded.jobs`,
      [workspace, run, JSON.stringify(jobs)],
    );
  /** `meanwhile` happens at the first pause. */
  function gathering(more: Partial<GatherParts> = {}, meanwhile: () => Promise<unknown> = async () => {}) {
    let at = nowMs;
    let pauses = 0;
    const clock = {
      nowMs: () => at,
      pause: async (ms: number) => {
        at += ms;
        pauses += 1;
        if (pauses === 1) await meanwhile();
      },
    };
    const asked: string[] = [];
    const parts: GatherParts = {
      ...{ config: loadConfig({}, '/'), db, clock, logger: createLogger({ service: 'broker', level: 'silent' }) },
      askJob: async ({ checkRunId }) => {
        asked.push(checkRunId!);
        return undefined;
      },
      ...more,
    };
    const gather = createGather(parts);
    return {
      asked,
      waitedMs: () => at - nowMs,
      known: async (one: ProvedJob = job) =>
        (await gather(one, policy, { workspace: 'acme', address: '203.0.113.7', tiers: file.tiers })).known,
    };
  }
  const reasonsOf = async (known: Parameters<typeof decide>[1], one: ProvedJob = job) =>
    decide(one, known, policy, { tiers: file.tiers, lock: readLock(exampleLock) }).reasons.map(
      ({ condition, state }) => `${condition} ${state}`,
    );

  test('is what the log tells of exactly this job, at once', async () => {
    await tell([first, told, { ...told, name: 'other', job: { ...told.job, checkRunId: '502' } }]);
    const by = gathering();
    const known = await by.known();
    expect(known).toMatchObject({ ...told.known, log: { disagrees: [], behindMs: 0 }, address: '203.0.113.7' });
    expect(await reasonsOf(known)).toEqual(['mfa waiting']);
    expect([by.waitedMs(), by.asked]).toEqual([0, []]);
  });

  test('is waited for, and then asked of GitHub, which says whether it runs and never whether it is reviewed', async () => {
    const soon = gathering({}, () => tell([told, first]));
    expect(await soon.known()).toMatchObject({ job: 'running', reviewed: { is: 'reviewed' } });
    expect(soon.waitedMs()).toBe(200);
    await owner.pool.query('DELETE FROM known_runs');
    const askJob = async () => ({ state: 'running', runner: { group: 'prod-deployers', isHosted: false } }) as const;
    const late = gathering({ askJob });
    const known = await late.known();
    expect(late.waitedMs()).toBe(8000);
    expect(known).toMatchObject({ job: 'running', fork: undefined, reviewed: { is: 'unknown' }, deployedTo: [] });
    expect(await reasonsOf(known)).toEqual(
      expect.arrayContaining(['fork unknown', 'reviewed unknown', 'known-runner failed']),
    );
    expect(await gathering({ askJob: async () => ({ state: 'ended', runner: undefined }) }).known()).toMatchObject({
      job: 'ended',
    });
    const away = gathering();
    expect(await away.known()).toMatchObject({ job: 'unknown', runner: undefined });
    expect(away.asked).toEqual(['501']);
  });

  test('of a commit that was just promoted, is waited for until that is told', async () => {
    const young = { ...told, startedMs: nowMs - 3000 };
    await tell([first, { ...young, known: { ...young.known, deployedTo: [] } }]);
    const by = gathering({}, () => tell([first, { ...young, known: { ...young.known, deployedTo: ['staging'] } }]));
    expect(await reasonsOf(await by.known())).toEqual(['mfa waiting']);
    expect(by.waitedMs()).toBeGreaterThan(0);
  });

  test('of a commit that nothing promoted is unknown while that may be on its way, and then a no', async () => {
    const young = { ...told, startedMs: nowMs - 3000 };
    await tell([first, { ...young, known: { ...young.known, deployedTo: [] } }]);
    expect(await reasonsOf(await gathering().known())).toContain('promoted unknown');
    await tell([first, { ...young, startedMs: nowMs - 121_000, known: { ...young.known, deployedTo: [] } }]);
    const late = gathering();
    expect(await reasonsOf(await late.known())).toContain('promoted failed');
    expect(late.waitedMs()).toBe(0);
  });

  test('is taken as soon as the detector tells it, though a signal came while it was read', async () => {
    const logger = createLogger({ service: 'broker', level: 'silent' });
    const news = openRunNews({ db, clock: systemClock, logger });
    const run = 'github:github.com:74#9';
    /** As services/detector/store/known-runs.ts does it, whose test holds that it signals. */
    const tellAndSignal = async () => {
      await tell([told, first]);
      await owner.pool.query('SELECT pg_notify($1, $2)', [knownRunsChannel, knownRunPayload('acme', run)]);
    };
    try {
      const listens = () =>
        owner.pool.query(`SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN tripline_known_runs'`);
      await expect.poll(async () => (await listens()).rowCount, { interval: 5, timeout: 10_000 }).toBe(1);
      const waiting = news.of('acme', run);
      const other = news.of('acme', 'github:github.com:74#10');
      await tellAndSignal();
      await expect.poll(() => waiting.signal.aborted, { interval: 5, timeout: 10_000 }).toBe(true);
      expect(other.signal.aborted).toBe(false);
      waiting.forget();
      other.forget();
      await owner.pool.query('DELETE FROM known_runs');
      // Nobody looks again by themselves within this time.
      const gather = createGather({
        ...{ config: loadConfig({}, '/'), db, logger, news, waitMs: 3_600_000, askJob: async () => undefined },
        clock: { ...systemClock, pause: (_, signal) => systemClock.pause(3_600_000, signal) },
      });
      const asking = gather(job, policy, { workspace: 'acme', address: '203.0.113.7', tiers: file.tiers });
      await tellAndSignal();
      expect((await asking).known).toMatchObject({ job: 'running', reviewed: { is: 'reviewed' } });
    } finally {
      await news.close();
    }
  });

  test('of another attempt, repository, workspace or issuer is of another', async () => {
    await tell([first]);
    await tell([told], 'other');
    await tell([told], 'acme', 'github:github.com:75#9');
    await tell([told], 'acme', 'github:git.acme.example:74#9');
    expect(await gathering().known()).toMatchObject({ job: 'unknown', reviewed: { is: 'unknown' } });
  });

  test('of another job of its attempt tells what is of them all, and nothing of its machine', async () => {
    await tell([{ ...told, job: { ...told.job, checkRunId: '502' } }]);
    expect(await gathering().known()).toMatchObject({
      job: 'unknown',
      reviewed: { is: 'reviewed' },
      runner: undefined,
    });
  });

  test('of an attempt alone is what all of its jobs share; whether this one runs, GitHub says', async () => {
    await tell([
      {
        ...told,
        name: '',
        job: { ...told.job, checkRunId: null, environment: null },
        known: { ...told.known, job: 'unknown', runner: undefined },
      },
    ]);
    const askJob = async () => ({ state: 'running', runner: { group: 'GitHub Actions', isHosted: true } }) as const;
    const known = await gathering({ askJob }).known({ ...job, runnerEnvironment: 'github-hosted' } as ProvedJob);
    expect(known).toMatchObject({ job: 'running', reviewed: { is: 'reviewed' }, log: { disagrees: [] } });
    expect(
      await gathering({ askJob }).known({ ...job, checkRunId: null, environment: null } as ProvedJob),
    ).toMatchObject({ job: 'unknown' });
  });

  test.each([
    ['commit', { sha: '2'.repeat(40) }],
    ['ref', { ref: 'refs/heads/evil' }],
    ['event', { event: 'workflow_dispatch' }],
    ['environment', { environment: 'staging' }],
    ['environment', { environment: null }],
    ['machine', { runnerEnvironment: 'github-hosted' }],
    ['actor', { actor: { id: '7', name: 'ada' } }],
    ['workflow', { caller: { ref: 'acme/api/.github/workflows/other.yml@refs/heads/main', sha } }],
  ])('a token whose %s the log tells otherwise is denied', async (what, change) => {
    await tell([told, first]);
    const one = { ...job, ...change } as ProvedJob;
    const known = await gathering().known(one);
    expect(known.log!.disagrees.map((found) => found.what)).toContain(what);
    expect(await reasonsOf(known, one)).toContain('log failed');
  });

  test('names of environments are one in capitals of A to Z, and no other sign is a letter of theirs', async () => {
    const inLog = (environment: string, checkRunId = '501') => ({
      ...told,
      job: { ...told.job, environment, checkRunId },
    });
    const token = { ...job, environment: 'kube' } as ProvedJob;
    await tell([inLog('KUBE'), first]);
    expect((await gathering().known(token)).log!.disagrees).toEqual([]);
    await tell([inLog('\u212Aube'), first]);
    expect((await gathering().known(token)).log!.disagrees.map((found) => found.what)).toEqual(['environment']);
    // A token that names its run alone is of the one job whose environment it names.
    const ofRun = { ...token, checkRunId: null } as ProvedJob;
    await tell([inLog('\u212Aube'), first]);
    expect(await gathering().known(ofRun)).toMatchObject({ job: 'unknown' });
    await tell([inLog('\u212Aube'), inLog('Kube', '502'), first]);
    expect(await gathering().known(ofRun)).toMatchObject({ job: 'running' });
  });

  test('a token and a webhook of a change name other commits, which is no difference; nor is a repository renamed since', async () => {
    const pull = {
      ...logged,
      event: 'pull_request',
      sha: '3'.repeat(40),
      ref: 'refs/pull/12/merge',
    } as LoggedJob['job'];
    await tell([
      {
        ...told,
        job: {
          ...pull,
          sha,
          ref: 'refs/heads/feat',
          caller: { ref: pull.caller.ref.replace('acme/api', 'acme/former'), sha },
        },
      },
    ]);
    expect((await gathering().known({ ...job, ...pull } as ProvedJob)).log!.disagrees).toEqual([]);
  });

  test('a detector that is behind what the broker has read knows nothing', async () => {
    await tell([told, first]);
    const at = (consumer: string, next: number, ms: number) =>
      owner.pool.query(
        `INSERT INTO positions (consumer, topic, partition, next, log_time_ms, epoch) VALUES ($1, 'tripline.events', 0, $2, $3, 1)
         ON CONFLICT (consumer, topic, partition) DO UPDATE SET next = excluded.next, log_time_ms = excluded.log_time_ms`,
        [consumer, next, ms],
      );
    await at('broker', 10, nowMs);
    expect(await reasonsOf(await gathering().known())).toContain('log unknown');
    await at('detector', 8, nowMs - 60_000);
    expect(await reasonsOf(await gathering().known())).toContain('log unknown');
    await at('detector', 9, nowMs - 3000);
    expect(await reasonsOf(await gathering().known())).not.toContain('log unknown');
    await at('detector', 10, nowMs - 60_000);
    expect(await reasonsOf(await gathering().known())).not.toContain('log unknown');
  });

  test('where the events of other workspaces lie it may be as far behind as it likes', async () => {
    await tell([told, first]);
    const behind = async (partition: number) => {
      await owner.pool.query('DELETE FROM positions');
      await owner.pool.query(
        `INSERT INTO positions (consumer, topic, partition, next, log_time_ms, epoch)
         SELECT 'broker', 'tripline.events', p, CASE WHEN p = $1 THEN 10 ELSE 0 END, $2, 1 FROM generate_series(0, 3) p`,
        [partition, nowMs],
      );
      return (await reasonsOf(await gathering().known())).includes('log unknown');
    };
    const own = partitionOf('acme', 4);
    expect(await behind(own)).toBe(true);
    expect(await behind((own + 1) % 4)).toBe(false);
  });

  test('an open incident counts by what the token proves, though the log told nothing', async () => {
    const entities = [{ kind: 'user' as const, id: 'ada', key: 'github:github.com:user:41' }];
    await recordFindings(owner, [{ ...someFinding('one', { person: 'ada' }), entities }]);
    const { incidents } = await gathering().known();
    expect(incidents.map(({ severity }) => severity)).toEqual(['critical']);
  });

  describe('by what was open as its token was spent', () => {
    let nth = 0;
    const spent = () => {
      const tokenId = { sha256: String(++nth).padStart(64, '0') };
      const keys = keysOfJob(job, { workspace: 'acme', instance: 'github.com' });
      return spend(db, { ...job, tokenId, expiresAtMs: Date.now() + 300_000 } as ProvedJob, {
        keys,
        workspace: 'acme',
      });
    };
    /** What is open by what was spent, and how often it was read. */
    async function openBy(asSpent: AsSpent, meanwhile: () => Promise<unknown> = async () => {}) {
      await meanwhile();
      let readings = 0;
      const watched: Pick<Db, 'pool'>['pool'] = Object.create(db.pool, {
        query: {
          value: (query: { name?: string }) => {
            if (query.name === 'incidents-open-at') readings += 1;
            return db.pool.query(query as never);
          },
        },
      });
      const gather = createGather({
        ...{ config: loadConfig({}, '/'), db: { ...db, pool: watched }, clock: { ...systemClock, nowMs: () => nowMs } },
        ...{ logger: createLogger({ service: 'broker', level: 'silent' }), askJob: async () => undefined, waitMs: 0 },
      });
      const asked = { workspace: 'acme', address: '203.0.113.7', tiers: file.tiers, asSpent };
      return { incidents: (await gather(job, policy, asked)).known.incidents.length, readings };
    }

    test.each<[string, Entity, number]>([
      ['the person', { kind: 'user', id: 'ada', key: 'github:github.com:user:41' }, 1],
      ['the person, by another name', { kind: 'user', id: 'ada-then', key: 'github:github.com:user:41' }, 1],
      ['the repository, by its name alone', { kind: 'repository', id: 'acme/api' }, 1],
      ['a machine that the log tells', { kind: 'runner', id: 'github:github.com:117' }, 1],
      [
        'a namesake, which is looked at and is none',
        { kind: 'repository', id: 'acme/api', key: 'github:github.com:9' },
        0,
      ],
    ])('an incident is read that names %s', async (_, entity, count) => {
      await tell([first, told]);
      await recordFindings(owner, [{ ...someFinding('one', { person: 'ada' }), entities: [entity] }]);
      expect(await openBy((await spent()).asSpent)).toEqual({ incidents: count, readings: 1 });
      const { rows } = await owner.pool.query<{ id: string }>('SELECT id FROM incidents');
      await resolve(owner, rows[0]!.id, 'true', { via: 'cli', id: 'ada', name: 'ada' });
      expect((await spent()).asSpent.mayBeOpen).toBe(false);
    });

    test('nothing is read where none names any of it', async () => {
      await tell([first, told]);
      const elsewhere = { ...someFinding('two', { person: 'ada' }), workspace: 'globex' };
      const other = { kind: 'user' as const, id: 'bob', key: 'github:github.com:user:7' };
      const ofOther = { ...someFinding('one', { person: 'bob' }), entities: [other] };
      await recordFindings(owner, [ofOther, { ...elsewhere, entities: [{ kind: 'repository', id: 'acme/api' }] }]);
      expect(await openBy((await spent()).asSpent)).toEqual({ incidents: 0, readings: 0 });
    });

    test('all is read where more was told of the run since', async () => {
      await tell([first]);
      const { asSpent } = await spent();
      expect(asSpent.mayBeOpen).toBe(false);
      const machine = { kind: 'runner' as const, id: 'github:github.com:117' };
      await recordFindings(owner, [{ ...someFinding('one', { person: 'ada' }), entities: [machine] }]);
      expect(await openBy(asSpent, () => tell([first, told]))).toEqual({ incidents: 1, readings: 1 });
    });
  });
});
