import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attackVersion, type Finding } from '@tripline/contracts/finding';
import { type Db, openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { findingId } from '@tripline/engine/finding-id';
import { recordVerdicts } from '@tripline/incidents/record-findings';
import { sampleFinding } from '@tripline/testing/sample-report';
import { startAlertmanager } from './peers/alertmanager.ts';
import { cpuSeconds, residentMiB } from './peers/cpu.ts';
import { type Absent, startProgram } from './peers/peer.ts';

/** One who tells Slack, running. */
type Teller = {
  /** Hands over one alert that names `mark` in its text; resolves with the moment from which the clock runs. */
  hand: (mark: string) => Promise<number>;
  /** CPU time used so far, seconds; NaN where the system does not tell. */
  cpuSeconds: () => number;
  residentMiB: () => number;
  close: () => Promise<void>;
};
export type NotifiedAlert = {
  name: string;
  note: string;
  /** From the alert's being handed over to Slack's being called, each. */
  latenciesMs: number[];
  missing: number;
  /** CPU time of its process an alert, ms; unlike the latency it does not change with what else the machine does. */
  cpuMs: number[];
  residentMiB: number;
};

const waitMs = 10_000;

/**
 * Milliseconds from an alert's being handed over until Slack is called, at a steady rate of fresh alerts, each of which
 * is to be told at once: ours from the commit that leaves the job, Alertmanager from its API's being called. Either has
 * core 0 to itself while it is its turn; they take turns `rounds` times, after one that warms up.
 */
export async function benchNotify(options: {
  ratePerSecond: number;
  alerts: number;
  rounds: number;
}): Promise<(NotifiedAlert | Absent)[]> {
  const slack = await startSlack();
  const tellers: { told: NotifiedAlert; teller: Teller }[] = [];
  const absent: Absent[] = [];
  try {
    for (const start of [startOurs, startTheirs]) {
      const { name, note, teller } = await start(slack.url).catch((error: Error) => ({
        name: start === startOurs ? 'notifier' : alertmanager.name,
        note: error.message,
        teller: undefined,
      }));
      if (teller === undefined && start === startOurs) throw new Error(note);
      if (teller === undefined) absent.push({ name, absent: note });
      else tellers.push({ told: { name, note, latenciesMs: [], missing: 0, cpuMs: [], residentMiB: 0 }, teller });
    }
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const { told, teller } of tellers) {
        const before = teller.cpuSeconds();
        const { latenciesMs, missing } = await playRound(slack, teller, options);
        if (round === 0) continue;
        told.cpuMs.push(((teller.cpuSeconds() - before) * 1000) / options.alerts);
        told.latenciesMs.push(...latenciesMs);
        told.missing += missing;
        told.residentMiB = Math.max(told.residentMiB, teller.residentMiB());
      }
    }
    return [...tellers.map(({ told }) => told), ...absent];
  } finally {
    for (const { teller } of tellers) await teller.close();
    await slack.close();
  }
}

let marks = 0;

async function playRound(
  slack: Awaited<ReturnType<typeof startSlack>>,
  teller: Teller,
  options: { ratePerSecond: number; alerts: number },
): Promise<{ latenciesMs: number[]; missing: number }> {
  const begun = performance.now();
  const handed: Promise<{ mark: string; atMs: number }>[] = [];
  for (let nth = 0; nth < options.alerts; nth += 1) {
    const dueMs = begun + (nth * 1000) / options.ratePerSecond - performance.now();
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    const mark = `mark-${++marks}-of-bench`;
    handed.push(teller.hand(mark).then((atMs) => ({ mark, atMs })));
  }
  const all = await Promise.all(handed);
  const until = performance.now() + waitMs;
  while (all.some(({ mark }) => !slack.heardMs.has(mark)) && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const latenciesMs = all.flatMap(({ mark, atMs }) => {
    const heardMs = slack.heardMs.get(mark);
    return heardMs === undefined ? [] : [heardMs - atMs];
  });
  return { latenciesMs, missing: all.length - latenciesMs.length };
}

/** A Slack that answers at once, by its API and by a webhook, and remembers when it first heard of each mark. */
async function startSlack() {
  const heardMs = new Map<string, number>();
  const server = createServer((request, response) => {
    const nowMs = performance.now();
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      for (const [mark] of body.matchAll(/mark-\d+-of-bench/g)) if (!heardMs.has(mark)) heardMs.set(mark, nowMs);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ok: true, channel: 'C1', ts: `${nowMs}` }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, heardMs, close };
}

const alertmanager = {
  name: 'Alertmanager 0.34.2',
  note: 'group_wait 0 s, every alert a group of its own; what it has been handed it keeps in memory until its snapshot',
};

async function startTheirs(slackUrl: string) {
  const { post, ...rest } = await startAlertmanager(slackUrl);
  const hand = async (mark: string) => {
    const atMs = performance.now();
    await post(mark);
    return atMs;
  };
  return { ...alertmanager, teller: { hand, ...rest } };
}

async function startOurs(slackUrl: string) {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  const db = openDatabase(postgres.url, { applicationName: 'bench' });
  await migrate(db);
  const { process: child, output } = startProgram([process.execPath, join(import.meta.dirname, 'notifier-ours.ts')], {
    core: 0,
    env: {
      DATABASE_URL: postgres.url,
      TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-bench-token',
      TRIPLINE_SLACK_TEAM_ID: 'T1',
      TRIPLINE_SLACK_APP_ID: 'A1',
      TRIPLINE_SLACK_CHANNEL: 'C1',
      TRIPLINE_SLACK_SIGNING_SECRET: 'bench-signing-secret',
      TRIPLINE_SLACK_API_URL: slackUrl,
    },
  });
  const exited = once(child, 'exit');
  const close = async () => {
    child.stdin!.end();
    await exited;
    await db.close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  while (!output().includes('ready')) {
    if (child.exitCode !== null) throw new Error(`the notifier ended before it was ready:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const note = 'from the commit of the finding, its incident and its job';
  const teller = {
    hand: (mark: string) => record(db, mark),
    cpuSeconds: () => cpuSeconds(child.pid!),
    residentMiB: () => residentMiB(child.pid!),
    close,
  };
  return { name: 'notifier, told once and durably', note, teller };
}

/** Records a finding as the detector does, with all that follows in one transaction; the clock runs from its commit. */
async function record(db: Db, mark: string): Promise<number> {
  const client = await db.pool.connect();
  try {
    await client.query('BEGIN');
    await recordVerdicts(client, [{ kind: 'found', finding: findingOf(mark) }], []);
    const atMs = performance.now();
    await client.query('COMMIT');
    return atMs;
  } finally {
    client.release();
  }
}

/** Every one an incident of its own. */
function findingOf(mark: string): Finding {
  const { rule, workspace } = sampleFinding();
  const of = { rule, workspace, subject: `acme/app:${mark}`, occasion: mark };
  return {
    ...sampleFinding(),
    ...of,
    id: findingId(of),
    title: `${mark} was given write on acme/app by a token, outside any job`,
    detectedAt: new Date().toISOString(),
    entities: [{ kind: 'user', id: mark }],
    response: [],
    attackVersion,
  };
}
