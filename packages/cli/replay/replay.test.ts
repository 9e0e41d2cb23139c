import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Finding } from '@tripline/contracts/finding';
import { createEngine } from '@tripline/engine/engine';
import { eventsOf } from '@tripline/scenarios/events';
import { scenarios } from '@tripline/scenarios/registry';
import { createWorkspaces } from '@tripline/sources/workspace';
import { partitionOf } from '@tripline/stream/partition';
import { topics } from '@tripline/stream/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { createKept, runBatch } from '@tripline/testing/timeline/play';
import { readLog } from '@tripline/trail/read-log';
import { addToTrail, makeTrailDays, type TrailRecord } from '@tripline/trail/trail';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { play } from './play.ts';
import { measure, replay, replayedOf, rulesToPlay, type Sets, setsFor, typesOf } from './replay.ts';

const partitions = 3;
const startMs = Date.parse('2026-03-11T09:00:00Z');
const [from, to] = [new Date(startMs - 86_400_000), new Date(startMs + 9 * 86_400_000)];
let database: Awaited<ReturnType<typeof freshDatabase>>;
let folder: string;
let sets: Sets;
const trail = trailOf(
  scenarios.flatMap((scenario, nth) => {
    const cast = {
      organization: `tripline-drill-${scenario.id}-r`,
      startMs: startMs + nth * 1000,
      seed: 987_000 + nth,
    };
    return eventsOf(scenario, 'attack', cast, createWorkspaces({ workspaces: [], drills: true }));
  }),
);

beforeAll(async () => {
  database = await freshDatabase();
  folder = mkdtempSync(join(tmpdir(), 'tripline-replay-test-'));
  sets = await setsFor(loadConfig({}, folder), { ...asked(), isCompared: false });
  const { pool } = database.db;
  await makeTrailDays(pool, trail.flat(), new Set());
  const client = await pool.connect();
  for (const records of trail) await addToTrail(client, null, records);
  client.release();
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The partitions of a log of these events, with events of types that no rule reads between them, and before the first of each workspace. */
function trailOf(events: readonly { event: TriplineEvent; atMs: number }[]): TrailRecord[][] {
  const log: TrailRecord[][] = Array.from({ length: partitions }, () => []);
  const unread = ({ workspace, time }: TriplineEvent, nth: number): TriplineEvent => ({
    ...{ id: `github:unread-${nth}`, source: `//github.com/${workspace}`, workspace, time, trust: 'high' },
    type: 'dev.cdeventsx.tripline-check.finished',
    data: { 'user.name': 'ada', 'vcs.repository.name': `${workspace}/app` } as never,
  });
  events
    .toSorted((a, b) => a.atMs - b.atMs)
    .forEach(({ event, atMs }, nth) => {
      const partition = partitionOf(event.workspace, partitions);
      const of = log[partition]!;
      for (const one of [
        ...(nth % 3 === 0 || !of.some(({ key }) => key === event.workspace) ? [unread(event, nth)] : []),
        event,
      ])
        of.push({
          ...{ ...toEventRecord(one), topic: topics.events, partition, offset: of.length, fault: null },
          appendedAtMs: Math.max(atMs, of.at(-1)?.appendedAtMs ?? 0),
        });
    });
  return log;
}

/** What the engine makes of them, each partition in one batch and with all that its records hold. */
function judgedAtOnce() {
  return trail.flatMap((records) => {
    const engine = createEngine(
      { rules: sets.with.rules, learningDays: 14 },
      { logTimeMs: 0, engineRows: [], timers: [], dedup: [] },
    );
    const kept = createKept();
    kept.keep(runBatch(engine, { records, caughtUpAtMs: null }, kept.read));
    engine.commit();
    kept.keep(runBatch(engine, { records: [], caughtUpAtMs: to.getTime() }, kept.read));
    const { findings, superseded } = kept.played();
    return findings.map((finding) => ({ finding, isSuperseded: superseded.has(finding.id) }));
  });
}

const asked = () => ({
  ...{ env: { DATABASE_URL: database.url }, cwd: folder, url: database.url, from, to, isCompared: false, only: [] },
  change: { rulesFiles: [], exceptionsFile: undefined },
});
const told = (findings: readonly { finding: Finding; isSuperseded: boolean }[]) =>
  findings
    .map(({ finding: { id, rule, severity, confidence, title, detectedAt, entities }, isSuperseded }) => {
      const named = entities.map(({ kind, id: name }) => `${kind} ${name}`).sort();
      return { id, rule, severity, confidence, title, detectedAt, named, isSuperseded };
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));

test('finds what the engine finds of all records at once: in threads, and in one', async () => {
  const wanted = told(judgedAtOnce());
  expect(new Set(wanted.map(({ rule }) => rule)).size).toBeGreaterThan(15);

  const config = loadConfig({}, folder);
  const measured = await measure(database.db, { from, to });
  expect(measured.map(({ records }) => records)).toEqual(trail.map(({ length }) => length));
  let said = 0;
  const threads = await replay({ db: database.db, config, sets }, asked(), measured, (records) => {
    said += records;
  });
  expect(said).toBe(trail.flat().length);
  expect(threads.faults).toEqual([]);
  const of = ({ outcomes }: Pick<typeof threads, 'outcomes'>) =>
    told(outcomes.map(({ finding, heldBy }) => ({ finding, isSuperseded: heldBy === 'superseded' })));
  expect(of(threads)).toEqual(wanted);

  const rules = rulesToPlay(sets, []);
  const played = [];
  for (const { partition } of measured) {
    const records = readLog(database.db, { topic: topics.events, partition, from, to, types: typesOf(rules) });
    played.push(await play({ config, folder }, rules, records, to.getTime()));
  }
  expect(of(replayedOf(played, sets))).toEqual(wanted);
});

test('leaves to Postgres what no rule reads, and nothing that some does', () => {
  const types = typesOf(rulesToPlay(sets, []));
  expect(types.has('dev.cdeventsx.tripline-check.finished')).toBe(false);
  for (const { rule } of sets.with.rules) for (const type of rule.reads) expect(types).toContain(type);
});
