import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, loadConfig } from '@tripline/config/config';
import { createDetector } from '@tripline/detector/detector';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { listFindings } from '@tripline/incidents/findings';
import { createReceiver } from '@tripline/receiver/receiver';
import { createReconciler } from '@tripline/reconciler/reconciler';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { createStage, push } from '@tripline/scenarios/github-bodies';
import { signGithub } from '@tripline/sources/github/verify';
import { openStream } from '@tripline/stream/open';
import { afterEach, expect, test } from 'vitest';
import { handClock, startFakeHook } from '../packages/testing/fakes/github-hook.ts';
import { freshDatabase } from '../packages/testing/postgres/postgres.ts';

/**
 * GitHub delivers once and never again by itself. The receiver is down for ten minutes, in which somebody adds a deploy
 * key; afterwards every event is in the log exactly once, and the finding that the key leads to is found.
 */
const secret = 'a webhook secret for this test';
const minuteMs = 60_000;
const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test('after ten minutes of receiver downtime nothing is missing, and nothing is there twice', async () => {
  const startMs = Date.now();
  const time = handClock(startMs);
  const database = await freshDatabase();
  closers.push(database.close);
  const { db } = database;
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-redelivery-'));
  closers.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const logger = createLogger({ service: 'test', level: 'silent' });
  const base = loadConfig({ TRIPLINE_LEARNING_DAYS: '0' }, dataDir);
  const config: Config = { ...base, dataDir, github: { ...base.github, webhookSecrets: [secret] } };
  const stream = await openStream({ config, db, logger, clock: { ...time.clock, pause: pauseForReal } });
  closers.push(() => stream.close());

  let receiverUrl: string | null = null;
  let stopReceiver = async () => {};
  async function startReceiver(): Promise<void> {
    const metrics = createMetrics({ service: 'receiver' });
    const receiver = await createReceiver({ config, stream, logger, clock: time.clock, metrics });
    const app = createHttp({ ready: receiver.ready });
    receiver.routes(app);
    receiverUrl = await app.listen({ host: '127.0.0.1', port: 0 });
    stopReceiver = async () => {
      receiverUrl = null;
      stopReceiver = async () => {};
      await app.close();
      await receiver.close();
    };
  }
  closers.push(() => stopReceiver());

  const github = await startFakeHook({
    clock: time.clock,
    post: async ({ guid, event, body }) => {
      if (receiverUrl === null) return 0;
      const headers = {
        'content-type': 'application/json',
        'x-github-event': event,
        'x-github-delivery': guid,
        'x-hub-signature-256': signGithub(body, secret),
      };
      const response = await fetch(`${receiverUrl}/webhooks/github`, { method: 'POST', headers, body });
      await response.arrayBuffer();
      return response.status;
    },
  });
  closers.push(github.close);

  const metrics = createMetrics({ service: 'test' });
  const ruleSet = await loadRuleSet(config);
  const detector = await createDetector({
    ...{ config, stream, db, ruleSet, logger, metrics, worker: false },
    clock: { ...time.clock, pause: pauseForReal },
  });
  closers.push(() => detector.close());
  const asking = { hooks: [{ organization: 'acme', id: '42' }], hookToken: 'ghp_hook', apiUrl: github.url };
  const reconciler = createReconciler({
    ...{ config: { github: { ...config.github, ...asking } }, db, logger, clock: time.clock, metrics },
  });
  closers.push(() => reconciler.close());

  const stage = createStage({ organization: 'acme', startMs, seed: 7 });
  const sent: string[] = [];
  async function work(minute: number): Promise<void> {
    for (let n = 0; n < 5; n += 1) {
      const step = { name: `push ${minute}.${n}`, says: 'pushed', atMs: minute * minuteMs + n };
      const { event, body } = push(stage, step, {
        ...{ repository: 'app', ref: `refs/heads/topic-${minute}`, by: 'ada', message: 'work', files: ['a'] },
        ...{ before: stage.sha(`${minute}.${n - 1}`), after: stage.sha(`${minute}.${n}`) },
      });
      sent.push(await github.deliver(event, body));
    }
    await time.move(minuteMs);
  }

  await startReceiver();
  for (let minute = 0; minute < 3; minute += 1) await work(minute);
  await stopReceiver();
  for (let minute = 3; minute < 8; minute += 1) await work(minute);
  const decisive = await github.deliver('deploy_key', keyAdded(time.clock.nowMs()));
  sent.push(decisive);
  for (let minute = 8; minute < 13; minute += 1) await work(minute);
  expect(github.missing()).toHaveLength(51);
  expect(await listFindings(db)).toEqual([]);

  await startReceiver();
  for (let minute = 13; minute < 16; minute += 1) await work(minute);
  expect(github.missing()).toEqual([]);

  const { rows } = await db.pool.query<{ id: string }>(
    `SELECT headers->>'ce_id' AS id FROM log WHERE topic = 'tripline.events' AND headers->>'ce_workspace' <> '@receiver' ORDER BY id`,
  );
  expect(rows.map(({ id }) => id)).toEqual(sent.map((guid) => `github:${guid}`).toSorted());
  await expect
    .poll(async () => (await listFindings(db)).sort((a, b) => (a.rule < b.rule ? -1 : 1)), {
      timeout: 20_000,
      interval: 50,
    })
    .toMatchObject([
      { rule: 'deploy-key-write-added', workspace: 'acme', decidingEvent: `github:${decisive}` },
      { rule: 'privilege-grant-outside-job', workspace: 'acme', decidingEvent: `github:${decisive}` },
    ]);
  // Far fewer requests than GitHub allows, although the receiver was down for ten rounds.
  expect(github.requests.filter((request) => request.startsWith('POST')).length).toBeLessThan(51 + 10 * 5 + 1);
});

/** The log and the detector work on while the test's clock stands still. */
function pauseForReal(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const keyAdded = (nowMs: number) => ({
  action: 'created',
  key: {
    ...{ id: 77, key: 'ssh-ed25519 AAAA', url: 'https://api.github.example/k', title: 'laptop', verified: true },
    ...{ created_at: new Date(nowMs).toISOString(), read_only: false, added_by: 'mallory' },
  },
  repository: {
    ...{ id: 1, name: 'app', full_name: 'acme/app', private: true, default_branch: 'main' },
    html_url: 'https://github.example/acme/app',
    owner: { login: 'acme', id: 2, type: 'Organization' },
  },
  organization: { login: 'acme', id: 2 },
  sender: { login: 'mallory', id: 3, type: 'User' },
});
