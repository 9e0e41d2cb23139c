import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exampleLock } from '@tripline/access/access.example';
import type { LoggedJob } from '@tripline/access/known-run';
import { loadConfig } from '@tripline/config/config';
import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { credentialHash } from '@tripline/runtime/redact';
import { openStream } from '@tripline/stream/open';
import { type NewRecord, topics } from '@tripline/stream/stream';
import { brokerKey } from '../../packages/testing/internal-key.ts';
import type { FreshDatabase } from '../../packages/testing/postgres/fresh-database.ts';
import { audience, startIssuer } from '../../packages/testing/services/broker.ts';
import { type ServiceProcess, startProcess, until } from './service-process.ts';
import { startTokenProvider } from './token-provider.ts';

const child = join(import.meta.dirname, 'broker.child.ts');
/** As a company has them: what is counted of one policy within an hour is not all that there is. */
const policyNames = Array.from({ length: 50 }, (_, nth) => `deploy-api-${nth}`);
const policies = `
audience: ${audience}
tiers: { production: [production] }
policies:
${policyNames
  .map(
    (name) => `  ${name}:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/release.yml@refs/heads/main
        workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
    needs: { reviewed: true, noIncident: high }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
`,
  )
  .join('')}`;
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const sha = '41ab7c5e9d0f1a2b3c4d5e6f708192a3b4c5d6e7';

/** By its number: the run and the check run of a job, each job in a run of its own. */
const idsOf = (job: number) => ({ run: String(10_000 + job), checkRun: String(5_000_000_000 + job) });

/** What was answered to a job. `token`: what it was given. */
export type AccessAnswer = { status: number; reason: string | undefined; token: string | undefined; tookMs: number };

/**
 * What brokers that are processes need around them: an issuer of id tokens, a GitHub that mints, a log, and a detector that is never
 * behind, in the place of which what it would tell of each job is written.
 */
export async function openAccess(
  database: Pick<FreshDatabase, 'db' | 'url' | 'urlAs'>,
  { brokers = [] }: { brokers?: readonly string[] } = {},
) {
  const { db } = database;
  const folder = mkdtempSync(join(tmpdir(), 'tripline-access-'));
  const [issuer, github] = await Promise.all([startIssuer(), startTokenProvider()]);
  const env: Record<string, string> = {
    TRIPLINE_KAFKA_PARTITIONS: '2',
    ...(brokers.length > 0 ? { KAFKA_BROKERS: brokers.join(',') } : {}),
  };
  writeFileSync(join(folder, 'access.yaml'), policies);
  writeFileSync(join(folder, 'access.lock'), exampleLock);
  const settings = {
    github: { apiUrl: github.url },
    identity: { audience, github: [{ owners: ['65'], jwksUri: issuer.jwksUri }] },
    broker: {
      ...{ policy: { repository: 'acme/access' }, apps: [{ id: '1', privateKey }], eventKeys: [brokerKey] },
      // All ask from here.
      ...{ rate: { perSecond: 100_000, burst: 100_000 }, grantsPerHour: 1_000_000 },
      sealingKeys: ['a-key-of-seals-for-plays-alone'],
    },
  };
  writeFileSync(join(folder, 'tripline.yaml'), JSON.stringify(settings));
  const logger = createLogger({ service: 'test', level: 'silent' });
  const config = loadConfig({ ...env, DATABASE_URL: database.url }, folder);
  const stream = await openStream({ config, db, logger, clock: systemClock });
  await db.pool.query(
    `INSERT INTO positions (consumer, topic, partition, next) SELECT 'detector', $1, nth, 2::bigint ^ 50 FROM generate_series(0, 1) nth`,
    [topics.events],
  );
  const agents = new Map<string, Agent>();
  const agentOf = (localAddress: string) => {
    const agent = agents.get(localAddress) ?? new Agent({ keepAlive: true, localAddress });
    agents.set(localAddress, agent);
    return agent;
  };

  return {
    issuer,
    github,
    stream,
    db,
    folder,
    env,
    databaseUrl: database.urlAs('broker'),

    /** A broker as a process, and where it listens once it takes jobs. `flags`: of Node. */
    start(more: Record<string, string> = {}, flags: readonly string[] = []): ServiceProcess & { url: Promise<string> } {
      const service = startProcess(
        [...flags, child],
        { ...env, DATABASE_URL: database.urlAs('broker'), TRIPLINE_LOG_LEVEL: 'error', ...more },
        folder,
      );
      return { ...service, url: listening(service) };
    },

    /** Writes down what the detector would know of these jobs: they run, and their commit was reviewed. */
    async tellOf(jobs: readonly number[], how: HowTold = {}): Promise<void> {
      await db.pool.query(
        `INSERT INTO known_runs SELECT 'acme', run, jobs, now() FROM unnest($1::text[], $2::jsonb[]) AS told (run, jobs)
         ON CONFLICT (workspace, run) DO UPDATE SET jobs = excluded.jobs`,
        [
          jobs.map((job) => `github:github.com:74#${idsOf(job).run}`),
          jobs.map((job) => JSON.stringify([loggedJob(job, how)])),
        ],
      );
    },

    /** An id token of a job, another one at each call. */
    token: (job: number) => {
      const { run, checkRun } = idsOf(job);
      const runner = { runner_environment: 'github-hosted' };
      return issuer.token({ run_id: run, run_attempt: '1', check_run_id: checkRun, ...runner });
    },

    /** Asks as a job does, each job under a policy of its own or of few others. Status 0: no answer came. */
    async ask(url: string, token: string, { job = 0, localAddress = '127.0.0.1' } = {}): Promise<AccessAnswer> {
      const fromMs = performance.now();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ policy: policyNames[job % policyNames.length] });
      const { status, text } = await post(`${url}/v1/access`, headers, body, agentOf(localAddress));
      const tookMs = performance.now() - fromMs;
      const answer = (text === '' ? {} : JSON.parse(text)) as {
        github?: { token: string };
        error?: { reason: string };
      };
      return { status, tookMs, reason: answer.error?.reason, token: answer.github?.token };
    },

    /** Has the log tell that these jobs ended. */
    end: (jobs: readonly number[]) => stream.append(jobs.map(endOf)),

    /** Has the log tell that GitHub asks the gate about these jobs; see `github.gated`. */
    askGate: (jobs: readonly number[], how: HowAsked = {}) => stream.append(jobs.map((job) => questionOf(job, how))),

    /** The run of a job, as GitHub names it. */
    runOf: (job: number): string => idsOf(job).run,

    /** SHA-256 of all that the log names as given. */
    async named(): Promise<Set<string>> {
      const hashes = new Set<string>();
      for (const { partition, first, next } of await stream.offsets(topics.events)) {
        for (let from = first; from < next; ) {
          const records = await stream.read({ topic: topics.events, partition, from, limit: 5000 });
          if (records.length === 0) break;
          for (const { headers, value } of records) {
            if (headers['ce_type'] !== 'dev.cdeventsx.tripline-credential.minted') continue;
            hashes.add((JSON.parse(value!.toString()) as Record<string, string>)['tripline.credential.token_hash']!);
          }
          from = records.at(-1)!.offset + 1;
        }
      }
      return hashes;
    },

    async close() {
      for (const agent of agents.values()) agent.destroy();
      await stream.close();
      await Promise.all([issuer.close(), github.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type AccessGround = Awaited<ReturnType<typeof openAccess>>;

function listening(service: ServiceProcess): Promise<string> {
  const url = until(() => /listening on (\S+)/.exec(service.said())?.[1], { of: service, what: 'a broker' });
  const ready = url.then(async (base) => {
    await until(async () => (await fetch(`${base}/readyz`).catch(() => undefined))?.status === 200, {
      ...{ of: service, patienceMs: 60_000, everyMs: 50, what: 'a broker that is ready' },
    });
    return base;
  });
  // Whoever kills it before it listens does not ask.
  ready.catch(() => {});
  return ready;
}

/** How the detector tells of a job: of its first attempt, which was reviewed, unless told otherwise. */
type HowTold = { attempt?: number; isReviewed?: boolean };
/** How GitHub asks the gate about a job, unless as usual. `nth` tells apart what is asked about one run. */
type HowAsked = { environment?: string; nth?: number; hasDeployment?: boolean };

function loggedJob(job: number, { attempt = 1, isReviewed = true }: HowTold): LoggedJob {
  const { run, checkRun } = idsOf(job);
  return {
    name: 'deploy',
    job: {
      ...{ provider: 'github', repository: { id: '74', name: 'acme/api' }, run: { id: run, attempt } },
      ...{ checkRunId: checkRun, event: 'push', ref: 'refs/heads/main', sha, headRef: null, baseRef: null },
      caller: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main', sha },
      workflow: { ref: 'acme/deploy/.github/workflows/deploy.yml@refs/heads/main', sha },
      ...{ environment: 'production', runnerEnvironment: 'github-hosted', actor: { id: '12', name: 'ada' } },
    },
    referenced: [],
    known: {
      ...{ job: 'running', fork: false, deployedTo: [], runner: { group: undefined, isKnown: true } },
      reviewed: isReviewed
        ? { is: 'reviewed', why: 'approved by bea' }
        : { is: 'unreviewed', why: 'pushed by ada alone' },
    },
    things: [],
    startedMs: Date.now(),
    finishedMs: undefined,
  };
}

const endOf = (job: number): NewRecord =>
  recordOf(job, 'dev.cdevents.taskrun.finished', {
    ...{ 'tripline.pipeline.run.attempt': 1, 'cicd.pipeline.task.run.id': idsOf(job).checkRun },
  });

function questionOf(job: number, { environment = 'production', nth = 0, hasDeployment = true }: HowAsked): NewRecord {
  const data: Attributes = {
    ...{ 'vcs.owner.id': '65', 'vcs.owner.name': 'acme', 'deployment.environment.name': environment },
    ...{ 'tripline.deployment.decision': 'requested' as const, 'tripline.deployment.gate': '1' },
    ...(hasDeployment ? { 'deployment.id': `${idsOf(job).run}${nth}` } : {}),
  };
  return recordOf(job, 'dev.cdeventsx.tripline-deployment.reviewed', data, nth);
}

function recordOf(job: number, type: EventType, data: Attributes, nth = 0): NewRecord {
  const event = {
    ...{ id: `${type}-${job}-${nth}`, source: '//github.com/acme', type, workspace: 'acme' },
    ...{ time: new Date().toISOString(), trust: 'high' },
    data: {
      ...{ 'vcs.repository.id': '74', 'vcs.repository.name': 'acme/api', 'cicd.pipeline.run.id': idsOf(job).run },
      ...data,
    },
  } as TriplineEvent;
  return { topic: topics.events, ...toEventRecord(event) };
}

function post(url: string, headers: Record<string, string>, body: string, agent: Agent) {
  return new Promise<{ status: number; text: string }>((resolve) => {
    const none = () => resolve({ status: 0, text: '' });
    const sent = request(url, { method: 'POST', headers, agent, timeout: 60_000 }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, text }));
      response.on('error', none);
    });
    sent.on('error', none);
    sent.on('timeout', () => sent.destroy());
    sent.end(body);
  });
}

/** What was given to whom, for a play to hold against what must be: `handedOut` by token. */
export async function accessDifferences(
  ground: AccessGround,
  handedOut: ReadonlyMap<string, number>,
): Promise<string[]> {
  const named = await ground.named();
  const unnamed = [...handedOut].filter(([token]) => !named.has(credentialHash(token)));
  const alive = [...ground.github.alive];
  return [
    ...unnamed.map(([, job]) => `job ${job} was handed out what the log does not name`),
    ...(await Promise.all(alive.map((token) => historyOf(ground.db, token, handedOut.get(token))))),
  ];
}

/** Which job a token is of that lives, and what Tripline wrote of it. */
async function historyOf(db: Db, token: string, job: number | undefined): Promise<string> {
  const { rows } = await db.pool.query(
    `SELECT job_key, g.asked_at, ending_at, ending_why, state, minted_at, due_at, attempts, claimed_until, last_fault,
       (SELECT heard_at FROM access_ends WHERE key = job_key) AS end_heard
     FROM access_grants g JOIN access_credentials c ON c.grant_id = g.id WHERE token_hash = $1`,
    [credentialHash(token)],
  );
  const who = job === undefined ? 'nobody was handed it' : `job ${job} was handed it`;
  return `a token is alive though all jobs have ended; ${who}; ${rows.length === 0 ? 'it was never recorded' : JSON.stringify(rows[0])}`;
}

/** Does it again until it succeeds: whoever tells of ends and jobs does not forget them while Postgres is away. */
export async function persistently(work: () => Promise<unknown>): Promise<void> {
  const untilMs = performance.now() + 60_000;
  for (;;) {
    try {
      return void (await work());
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await pause(100);
    }
  }
}
