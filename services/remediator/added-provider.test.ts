import { loadConfig } from '@tripline/config/config';
import type { Intent } from '@tripline/contracts/response';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Acted } from './playbook.ts';
import { createRemediateTask } from './remediator.ts';

// The registry with one line more is all that this test changes.
vi.mock('@tripline/integrations/providers', async (original) => {
  const { providers } = await original<typeof import('@tripline/integrations/providers')>();
  const { forge } = await import('@tripline/testing/fakes/forge/registration');
  return { providers: [...providers, forge] };
});

const run: Intent = {
  action: 'stop-run',
  provider: 'forge',
  instance: 'forge.example',
  repository: 'acme/app',
  runId: '7',
};
const branch: Intent = {
  ...{ action: 'restore-ref', provider: 'forge', instance: 'forge.example', repository: 'acme/app' },
  ...{ refType: 'branch', ref: 'main', formerRevision: 'c0ffee' },
};

let database: Awaited<ReturnType<typeof freshDatabase>>;
let server: FakeService;
let isRunning: boolean;
beforeEach(async () => {
  database = await freshDatabase();
  isRunning = true;
  server = await startFakeService(({ method }) => {
    if (method === 'POST') isRunning = false;
    return { status: 200, body: JSON.stringify({ running: isRunning }) };
  });
});
afterEach(async () => {
  await server.close();
  await database.close();
});

async function remediate(protectedOnes: { repositories: string[] }): Promise<Acted[]> {
  const id = 'a'.repeat(64);
  await database.db.pool.query(
    `INSERT INTO incidents (id, workspace, severity, title) VALUES ('INC-1', 'acme', 'critical', 'T')`,
  );
  await database.db.pool.query(
    `INSERT INTO findings (id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary, deciding_event,
       occurred_at, detected_at, evidence, entities, response, remedy, silence, attack, attack_version, owasp)
     VALUES ($1, 'INC-1', 'a-rule', 'acme', $1, $1, 'critical', 'high', 'T', 'S', 'e', now(), now(), '[]', '[]', $2, '[]', '',
       '{}', '19', '{}')`,
    [id, JSON.stringify([run, branch])],
  );
  const env = { TRIPLINE_FORGE_API_URL: server.url, TRIPLINE_FORGE_TOKEN: 'forge-canary-token' };
  const config = loadConfig(env, '/nonexistent');
  const acted: Acted[] = [];
  const task = createRemediateTask({
    config: {
      ...config,
      remediation: {
        ...config.remediation,
        mode: 'automatic',
        policy: [{ rule: 'a-rule', minSeverity: 'high', minConfidence: 'high', actions: ['stop-run'] }],
        protected: { ...config.remediation.protected, ...protectedOnes },
      },
    },
    db: database.as('remediator'),
    logger: createLogger({ service: 'remediator', level: 'silent' }),
    clock: { nowMs: () => Date.now(), pause: async () => {} },
    metrics: createMetrics({ service: 'remediator' }),
    onActed: (step) => acted.push(step),
  });
  await task({ finding: id });
  return acted;
}

test('a provider that is a folder and a line of the registry carries intents out, through guard, database and its API', async () => {
  const acted = await remediate({ repositories: [] });
  expect(acted.map(({ state, verdict, text }) => [state, verdict, text])).toEqual([
    ['done', 'act', 'Done: stop the run; it is over'],
    ['refused', 'by-hand', 'By hand: restore the ref. Do it at https://forge.example'],
  ]);
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /runs/7',
    'POST /runs/7/stop',
    'GET /runs/7',
  ]);
});

test('and what it touches is held against what is protected, as it says itself', async () => {
  const acted = await remediate({ repositories: ['acme/app'] });
  expect(acted.map(({ verdict }) => verdict)).toEqual(['protected', 'by-hand']);
  expect(server.requests).toEqual([]);
});
