import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exampleLock, examplePolicies } from '@tripline/access/access.example';
import type { LoggedJob } from '@tripline/access/known-run';
import type { Db } from '@tripline/db/database';
import { knownRunPayload, knownRunsChannel } from '@tripline/db/known-runs';
import { rule as unreviewed } from '@tripline/rules/build-from-unreviewed-commit';
import { watchCommits } from '@tripline/testing/postgres/commits';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { clockByHand, detectorByHand, failing } from '@tripline/testing/services/detector';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { toRecords } from '@tripline/testing/timeline/play';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const events = eventsOf(`
  09:00     ada     opens #12 in acme/api from feat at h
  09:05     carol   approves #12 in acme/api
  09:10     carol   merges #12 in acme/api as m
  09:10:05  carol   starts run 7 of release in acme/api at m
  09:10:06  carol   starts job deploy of run 7 (to production)
  09:10:07  carol   starts job build of run 7
  09:10:08  carol   starts run 8 of ci in acme/other at m
  09:10:09  carol   starts job deploy of run 8 (to production)
  09:11     carol   finishes job deploy of run 7 (to production)`);
const records = toRecords({ events });
/** Records up to the first that tells of the job `build`, and those of the other repository. */
const begun = events.findIndex(({ data }) => data['cicd.pipeline.task.name'] === 'build');
const idOf = (name: string) =>
  events.find(({ data }) => data['vcs.repository.name'] === name)!.data['vcs.repository.id']!;
const lock = exampleLock.replace("'74'", `'${idOf('acme/api')}'`);

describe('what is known of runs', () => {
  let owner: Db;
  let db: Db;
  let folder: string;
  let file: string;
  forEachTest((fresh) => {
    owner = fresh.db;
    db = fresh.as('detector');
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tripline-known-'));
    file = join(folder, 'access.yaml');
    writeFileSync(file, examplePolicies);
    writeFileSync(join(folder, 'access.lock'), lock);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function known() {
    const { rows } = await db.pool.query<{ workspace: string; run: string; jobs: LoggedJob[] }>(
      'SELECT workspace, run, jobs FROM known_runs ORDER BY run',
    );
    return rows.map(({ workspace, run, jobs }) => {
      const told = jobs
        .filter(({ job }) => job.checkRunId !== null)
        .map(({ name, known: { job, reviewed } }) => `${name} ${job} ${reviewed.is}`);
      return `${workspace} ${run.slice(run.indexOf('#') + 1)}: ${told.sort().join(', ')}`;
    });
  }
  const detectorOf = (of: Db, options: Partial<Parameters<typeof detectorByHand>[1]> = {}) =>
    detectorByHand(of, { rules: [unreviewed], policy: { file }, ...options });

  test('stands for the repositories that policies name, of every job of their workflows', async () => {
    const by = await detectorOf(db);
    await by.assign();
    await by.batch(records.slice(0, -1));
    expect(await known()).toEqual(['acme 7: build running reviewed, deploy running reviewed']);
    await by.batch(records.slice(-1));
    expect(await known()).toEqual(['acme 7: build running reviewed, deploy ended reviewed']);
    // By ids alone, as the broker asks for it.
    const [{ run }] = (await db.pool.query('SELECT run FROM known_runs')).rows;
    expect(run).toBe(`github:github.com:${idOf('acme/api')}#${events.at(-1)!.data['cicd.pipeline.run.id' as never]}`);
    const later = (day: number) => eventsOf(`day ${day}  09:00  ada pushes x${day} to acme/other main`);
    const whole = toRecords({ events: [...events, ...later(8), ...later(10)] });
    await by.batch(whole.slice(-2, -1));
    expect(await known()).toHaveLength(1);
    await by.batch(whole.slice(-1));
    expect(await known()).toEqual([]);
  });

  test('is written at once, and not again where it is as it was', async () => {
    const recorded: number[] = [];
    const watched = watchCommits(db, (_, next) => recorded.push(next));
    const by = await detectorOf(watched, { gatherMs: 100, clock: clockByHand(0).clock });
    await by.assign();
    await by.batch(records.slice(0, begun));
    expect(recorded).toEqual([begun]);
    const before = await db.pool.query('SELECT told_at FROM known_runs');
    // What is of another repository is nobody's to wait for.
    await by.batch(records.slice(begun + 1, -1));
    expect(recorded).toEqual([begun]);
    expect((await db.pool.query('SELECT told_at FROM known_runs')).rows).toEqual(before.rows);
  });

  test('is signalled to brokers by the key of the run, in the transaction that tells it', async () => {
    const heard: (string | undefined)[] = [];
    const broker = await owner.pool.connect();
    broker.on('notification', ({ payload }) => heard.push(payload));
    await broker.query(`LISTEN ${knownRunsChannel}`);
    const by = await detectorOf(db);
    await by.assign();
    await by.batch(records.slice(0, -1));
    await by.batch(records.slice(-1));
    await broker.query('SELECT 1');
    broker.release(true);
    const [{ run }] = (await db.pool.query('SELECT run FROM known_runs')).rows;
    expect(heard).toEqual([knownRunPayload('acme', run), knownRunPayload('acme', run)]);
  });

  test('is the same whichever query fails', async () => {
    const whole = ['acme 7: build running reviewed, deploy ended reviewed'];
    for (let n = 1, failed = true; failed; n += 1) {
      await owner.pool.query(
        'TRUNCATE known_runs, positions, state_segments, state_runs, state_pages, state_stretches, timers, seen_batches, rule_state',
      );
      const broken = failing(db, n, n % 2 === 0);
      const by = await detectorOf(broken.db);
      for (let tries = 0, next = 0; next < records.length && tries < 30; tries += 1) {
        try {
          next = await by.assign();
          for (; next < records.length; next += 3) await by.batch(records.slice(next, next + 3));
        } catch {}
      }
      expect(await known(), `query ${n}`).toEqual(whole);
      failed = broken.hasFailed() && n < 12;
    }
  });

  test('is told of the policies’ own commits, by what lay beneath, and anew once a review is received', async () => {
    const text = `
      09:00     ada     opens #1 in acme/access from feat at h
      09:05     carol   merges #1 in acme/access as one
      09:10     carol   pushes two to acme/access main
      09:11     carol   pushes three to acme/other main
      09:12     ada     opens #2 in acme/access from more at k
      09:13     carol   approves #2 in acme/access
      09:14     carol   merges #2 in acme/access as four`;
    const by = await detectorOf(db, { policy: { repository: 'Acme/access', branch: 'main', path: 'access.yaml' } });
    await by.assign();
    const of = eventsOf(text);
    const log = toRecords({ events: of });
    await by.batch(log);
    // What may yet explain a commit is waited for.
    await by.batch([], log.at(-1)!.appendedAtMs + 12 * 3_600_000);
    const shaOf = (name: string) => createHash('sha1').update(`commit ${name}`).digest('hex');
    const { rows } = await db.pool.query(
      'SELECT revision, before, reviewed FROM known_heads ORDER BY told_at, revision',
    );
    const named = ['one', 'two', 'three', 'four'].flatMap((name) =>
      rows.filter(({ revision }) => revision === shaOf(name)).map(({ reviewed }) => `${name} ${reviewed}`),
    );
    expect(named).toEqual(['one unreviewed', 'two unreviewed', 'four reviewed']);
    expect(rows.find(({ revision }) => revision === shaOf('four')).before).toBe(shaOf('two'));
  });

  test('is of other repositories once other policies are in force, and of none while no policy is', async () => {
    const { clock, pauses } = clockByHand(0);
    const by = await detectorOf(db, { clock });
    await by.assign();
    await by.batch(records.slice(0, begun));
    writeFileSync(file, 'audience: [');
    pauses[0]!.end();
    await expect.poll(() => pauses.length).toBe(2);
    writeFileSync(file, examplePolicies.replaceAll('acme/api', 'acme/other'));
    writeFileSync(
      join(folder, 'access.lock'),
      lock.replace('acme/api', 'acme/other').replace(/'\d+', owner/, `'${idOf('acme/other')}', owner`),
    );
    pauses[1]!.end();
    await expect.poll(() => pauses.length).toBe(3);
    await by.batch(records.slice(begun));
    expect(await known()).toEqual(['acme 7: deploy running reviewed', 'acme 8: deploy running unknown']);
    const without = await detectorByHand(db, { rules: [unreviewed] });
    await without.assign();
    expect(without.ruleSet.rules).toHaveLength(1);
  });
});
