import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Db, openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { internalKey } from '../../packages/testing/internal-key.ts';
import { everyService } from '../faults/whole.ts';
import { listen, wallMs } from './fake-service.ts';
import { treeCpuMs, treeMib } from './process-tree.ts';
import { answers, type Contestant, freePort, start, tripline } from './processes.ts';

/** All of Tripline on a Postgres of its own, with a Slack and a GitHub that answer as we say. */
export type Whole = {
  port: number;
  secret: string;
  db: Db;
  /** What its processes said so far. */
  output: () => string;
  /** Every call of Slack, when its first bytes came, ms since the epoch. */
  slackCalls: { atMs: number; method: string; text: string }[];
  /** Every call of GitHub that changes something, and when its answer was sent. */
  githubCalls: { answeredMs: number; request: string }[];
  /** Memory of all of Tripline's processes and of its Postgres, MiB; shared pages are counted once. NaN where the system does not tell. */
  memoryMib: () => { tripline: number; postgres: number };
  /** CPU time that they have used, ms. */
  cpuMs: () => { tripline: number; postgres: number };
  close: () => Promise<void>;
};

/** As docker-compose.yml runs them. */
const services = [...everyService, 'reconciler'];

/**
 * `brokers`: the log is Kafka's; else it is a table of the same Postgres. `apart`: one process a service, instead of
 * `tripline up`. `act`: cancels runs, at a GitHub that takes 50 ms.
 */
export async function startWhole(
  options: { brokers?: string | undefined; apart?: boolean | undefined; act?: boolean } = {},
): Promise<Whole> {
  const secret = 'bench-webhook-secret';
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  const slack = await startSlack();
  const github = await startGitHub(50);
  const port = await freePort();
  const config = join(folder, 'tripline.yaml');
  if (options.act) writeFileSync(config, actingSettings);
  const env = {
    DATABASE_URL: postgres.url,
    TRIPLINE_DATA: join(folder, 'data'),
    TRIPLINE_LOG_LEVEL: 'warn',
    TRIPLINE_GITHUB_WEBHOOK_SECRET: secret,
    TRIPLINE_INTERNAL_KEY: internalKey,
    TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-bench-token',
    TRIPLINE_SLACK_TEAM_ID: 'T1',
    TRIPLINE_SLACK_APP_ID: 'A1',
    TRIPLINE_SLACK_CHANNEL: 'C1',
    TRIPLINE_SLACK_SIGNING_SECRET: 'bench-signing-secret',
    TRIPLINE_SLACK_API_URL: slack.url,
    ...(options.act
      ? {
          TRIPLINE_CONFIG: config,
          TRIPLINE_GITHUB_API_URL: github.url,
          TRIPLINE_GITHUB_APP_ID: '1',
          TRIPLINE_GITHUB_APP_PRIVATE_KEY: privateKey(),
        }
      : {}),
    ...(options.brokers ? { KAFKA_BROKERS: options.brokers } : {}),
  };
  const db = openDatabase(postgres.url, { applicationName: 'bench', maxConnections: 2 });
  const running: Contestant[] = [];
  const close = async () => {
    await Promise.all(running.map((one) => one.stop()));
    await db.close();
    await postgres.stop();
    await slack.close();
    await github.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (options.apart) await migrate(db);
    for (const command of options.apart ? services : ['up']) {
      const ofItsOwn = command === 'up' || command === 'receiver' ? port : await freePort();
      const one = start([tripline, command], {
        env: { ...env, TRIPLINE_PORT: String(ofItsOwn), TRIPLINE_OPERATIONS_PORT: '0' },
      });
      running.push(one);
      await answers(`http://127.0.0.1:${ofItsOwn}/readyz`, one);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const serverPid = Number(readFileSync(join(folder, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);
  const ours = (of: (pid: number) => number) => running.reduce((sum, one) => sum + of(one.process.pid!), 0);
  const memoryMib = () => ({ tripline: ours(treeMib), postgres: treeMib(serverPid) });
  const cpuMs = () => ({ tripline: ours(treeCpuMs), postgres: treeCpuMs(serverPid) });
  const output = () => running.map((one) => one.output()).join('');
  return { port, secret, db, output, slackCalls: slack.calls, githubCalls: github.calls, memoryMib, cpuMs, close };
}

const actingSettings = `
remediation:
  mode: automatic
  policy:
    - { rule: build-from-unreviewed-commit, minSeverity: low, minConfidence: low, actions: [stop-run] }
`;

function privateKey(): string {
  const encoding = { publicKeyEncoding: { type: 'spki', format: 'pem' } } as const;
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const;
  return generateKeyPairSync('rsa', { modulusLength: 2048, ...encoding, privateKeyEncoding }).privateKey;
}

/** A Slack that takes every message at once, in a thread of its own: the load holds up this one. */
async function startSlack() {
  const calls: Whole['slackCalls'] = [];
  const worker = new Worker(new URL('./slack-sink.ts', import.meta.url));
  const url = await new Promise<string>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', resolve);
  });
  worker.on('message', (call: Whole['slackCalls'][number]) => calls.push(call));
  return { url: `${url}/`, calls, close: () => worker.terminate() };
}

/** A GitHub that answers each request after `delayMs`, and on which a run goes on until it is cancelled. */
async function startGitHub(delayMs: number) {
  const cancelled = new Set<string>();
  const calls: Whole['githubCalls'] = [];
  const service = await listen(async ({ method, path }) => {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const request = `${method} ${path}`;
    if (method !== 'GET' && path.startsWith('/repos/')) calls.push({ answeredMs: wallMs(), request });
    if (path.endsWith('/installation')) return { status: 200, body: { id: 1 } };
    if (path.endsWith('/access_tokens')) return { status: 201, body: { token: 'ghs_bench' } };
    if (method === 'DELETE') return { status: 204 };
    if (method === 'POST') {
      cancelled.add(path.replace(/\/(force-)?cancel$/, ''));
      return { status: 202, body: {} };
    }
    // It knows no repository by itself.
    if (/^\/repos\/[^/]+\/[^/]+$/.test(path)) return { status: 404, body: {} };
    return { status: 200, body: { status: cancelled.has(path) ? 'completed' : 'in_progress' } };
  });
  return { ...service, calls };
}
