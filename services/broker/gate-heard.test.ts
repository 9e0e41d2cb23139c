import { loadConfig } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { github as feed } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { openStream } from '@tripline/stream/open';
import { topics } from '@tripline/stream/stream';
import { openapiBodies } from '@tripline/testing/openapi-bodies';
import { startBroker, startIssuer } from '@tripline/testing/services/broker';
import { type GateStage, startGateStage } from '@tripline/testing/services/gate';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEndMeasures } from './end-measures.ts';
import { hearQuestions, startGate } from './gate.ts';
import { questionType } from './gate-questions.ts';
import { createWatch } from './watch.ts';

let g: GateStage;
beforeEach(async () => {
  g = await startGateStage();
});
afterEach(() => g.close());

test('a question that is noted is answered within a second, and what is on its way is finished at the end', async () => {
  await g.told();
  const clock = {
    nowMs: () => Date.now(),
    pause: async (ms: number) => void (await new Promise((done) => setTimeout(done, ms))),
  };
  g.parts = { ...g.parts, clock };
  const gate = startGate(g.parts);
  await expect.poll(() => g.lines.join('')).not.toContain('LISTEN connection lost');
  g.nowMs = Date.now();
  const sinceMs = performance.now();
  await g.asked();
  await expect.poll(() => g.github.words.length, { interval: 5, timeout: 5000 }).toBe(1);
  expect(performance.now() - sinceMs).toBeLessThan(1000);
  await gate.close();
  expect(await g.rowOf()).toMatchObject({ state: 'answered' });
});

test('what GitHub asks comes through the log, once; what it asks people, and what a drill plays, is not for the gate', async () => {
  const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '1' }, '/nonexistent');
  const logger = createLogger({ service: 'test', level: 'silent' });
  const written = await openStream({ config, db: g.owner, logger, clock: systemClock });
  const read = await openStream({ config, db: g.db, logger, clock: systemClock });
  const measures = createEndMeasures(createMetrics({ service: 'test' }), async () => ({ leftAlive: 0, live: [] }));
  const alsoHears = { type: questionType, note: hearQuestions };
  const watch = await createWatch({ stream: read, db: g.db, clock: systemClock, logger, measures, alsoHears });
  const data = {
    ...{ 'vcs.provider.name': 'github', 'vcs.repository.name': 'acme/api', 'vcs.repository.id': '74' },
    ...{ 'vcs.owner.name': 'acme', 'vcs.owner.id': '65', 'cicd.pipeline.run.id': '9', 'deployment.id': '501' },
    ...{ 'deployment.environment.name': 'production', 'tripline.deployment.decision': 'requested' as const },
    'tripline.deployment.gate': '4711',
  };
  const { 'tripline.deployment.gate': _, ...people } = data;
  const event = (id: string, of: object, workspace = 'acme') => ({
    topic: topics.events,
    ...toEventRecord({
      ...{ id, source: '//github.com/acme', type: questionType, time: '2026-11-28T09:00:00Z', workspace },
      ...{ trust: 'high', data: of as never },
    } as TriplineEvent),
  });
  await written.append([
    event('people', people),
    event('drill', data, 'tripline-drill-1'),
    event('no-run', { ...data, 'cicd.pipeline.run.id': undefined }),
    event('odd-run', { ...data, 'cicd.pipeline.run.id': '9/../8' }),
    // What Postgres cannot hold: it may not hold up what is in the same batch.
    event('nul', { ...data, 'deployment.environment.name': 'x\0' }),
    event('half', { ...data, 'deployment.environment.name': 'x\ud800' }),
    event('i'.repeat(18_000), data),
    event('asked', data),
    event('again', data),
  ]);
  const rows = async () =>
    (await g.owner.pool.query('SELECT id, run_id, installation, deployment_id FROM access_gates')).rows;
  await expect
    .poll(rows, { timeout: 5000 })
    .toEqual([{ id: 'asked', run_id: '9', installation: '4711', deployment_id: '501' }]);
  await watch.close();
  await read.close();
  await written.close();
});

test('the broker hears the question in the log, and answers it at the configured GitHub', async () => {
  const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '1' }, '/nonexistent');
  const logger = createLogger({ service: 'test', level: 'silent' });
  const written = await openStream({ config, db: g.owner, logger, clock: systemClock });
  const read = await openStream({ config, db: g.db, logger, clock: systemClock });
  const issuer = await startIssuer();
  await g.told();
  const given = { github: { apiUrl: g.github.url, app: { id: '1', privateKey: g.github.privateKey } } };
  const broker = await startBroker(
    { db: g.db, stream: read, issuer },
    { settings: given as never, seams: { policies: () => g.inForce, isCaughtUp: undefined as never } },
  );
  const body = openapiBodies().find(({ operation }) => operation === 'deployment-protection-rule-requested')!;
  const account = { login: 'acme', id: 65 };
  const rawBody = Buffer.from(
    JSON.stringify({
      ...(body.whole as object),
      ...{ environment: 'production', deployment: null, installation: { id: 4711 }, organization: account },
      repository: { id: 74, full_name: 'acme/api', owner: account, html_url: 'https://github.com/acme/api' },
      deployment_callback_url: 'https://evil.example/actions/runs/9/deployment_protection_rule',
    }),
  );
  const headers = { 'x-github-event': 'deployment_protection_rule', 'x-github-delivery': 'q-1' };
  const received = { headers, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs: Date.now() };
  const workspaces = createWorkspaces({ workspaces: [], drills: false });
  const normalised = feed.normalise({ ...received, secretScope: { kind: 'anybody' } }, workspaces);
  if (!('event' in normalised)) throw new Error(JSON.stringify(normalised));
  // The detector has judged what the broker has read.
  await g.owner.pool.query(
    `INSERT INTO positions (consumer, topic, partition, next, log_time_ms, epoch) VALUES ('detector', $1, 0, 1000, 1, 1)`,
    [topics.events],
  );
  await written.append([{ topic: topics.events, ...toEventRecord(normalised.event) }]);
  await expect.poll(() => g.github.words, { timeout: 10_000 }).toMatchObject([{ state: 'approved' }]);
  await broker.close();
  const log = await g.owner.pool.query(
    "SELECT headers->>'ce_id' AS id FROM log WHERE headers->>'ce_type' LIKE '%gate.decided'",
  );
  expect(log.rows).toEqual([{ id: 'gate:github:q-1:granted' }]);
  await issuer.close();
  await read.close();
  await written.close();
});
