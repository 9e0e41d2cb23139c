import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChance, makeCorpus } from './corpus.ts';
import { requestBytes, sendAll } from './load.ts';
import { answers, freePort, start, tripline } from './processes.ts';
import { createStage, type Delivery, unreviewedBuild } from './stories.ts';

export type Latencies = { ratePerSecond: number; findings: number; missing: number; latenciesMs: number[] };

/**
 * Milliseconds from the first byte of the delivery that decides to Slack's API being called, while other deliveries
 * come at a steady rate: the whole way through receiver, log, detector, job and notifier in one `tripline up`.
 * Findings come slower than one a second, since Slack takes no more in one channel.
 */
export async function benchLatency(options: {
  ratePerSecond: number;
  findings: number;
  brokers?: string;
  databaseUrl?: string;
}): Promise<Latencies> {
  const secret = 'bench-secret';
  const everyMs = 1300;
  const corpus = steady(options.ratePerSecond, options.findings, everyMs);
  const sentAt = new Map<string, number>();
  const latenciesMs: number[] = [];
  const slack = createServer((request, response) => {
    const heardAt = performance.now();
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const text = decodeURIComponent(body.replaceAll('+', ' '));
      for (const [run, at] of sentAt) {
        if (!text.includes(run)) continue;
        latenciesMs.push(heardAt - at);
        sentAt.delete(run);
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ok: true, channel: 'C1', ts: `${Date.now() / 1000}` }));
    });
  });
  await new Promise<void>((resolve) => slack.listen(0, '127.0.0.1', resolve));
  const slackUrl = `http://127.0.0.1:${(slack.address() as AddressInfo).port}/`;
  const port = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const up = start([tripline, 'up'], {
    env: {
      TRIPLINE_PORT: String(port),
      TRIPLINE_DATA: dataDir,
      TRIPLINE_GITHUB_WEBHOOK_SECRET: secret,
      TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-bench',
      TRIPLINE_SLACK_CHANNEL: 'C1',
      TRIPLINE_SLACK_SIGNING_SECRET: 'bench',
      TRIPLINE_SLACK_API_URL: slackUrl,
      ...(options.brokers ? { KAFKA_BROKERS: options.brokers } : {}),
      ...(options.databaseUrl ? { DATABASE_URL: options.databaseUrl } : {}),
    },
  });
  try {
    await answers(`http://127.0.0.1:${port}/readyz`, up);
    const requests = corpus.deliveries.map((delivery) => requestBytes(delivery, secret));
    const deciding = new Map(
      corpus.deliveries.flatMap((_delivery, index) =>
        corpus.attackRuns.has(index) ? [[index, corpus.attackRuns.get(index)!]] : [],
      ) as [number, string][],
    );
    await sendAll({
      port,
      requests,
      connections: 16,
      ratePerSecond: options.ratePerSecond,
      onSend: (index) => {
        const run = deciding.get(index);
        if (run) sentAt.set(run, performance.now());
      },
    });
    const until = performance.now() + 15_000;
    while (sentAt.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    return { ratePerSecond: options.ratePerSecond, findings: deciding.size, missing: sentAt.size, latenciesMs };
  } finally {
    await up.stop();
    await new Promise((resolve) => slack.close(resolve));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Honest traffic at a steady rate with an attack's push and run woven in every `everyMs`; `attackRuns`: index of the deciding delivery → run id. */
function steady(
  ratePerSecond: number,
  findings: number,
  everyMs: number,
): { deliveries: Delivery[]; attackRuns: Map<number, string> } {
  const gap = Math.ceil((ratePerSecond * everyMs) / 1000);
  const honest = makeCorpus({
    deliveries: gap * (findings + 1),
    workspaces: 100,
    attackEvery: 1e9,
    seed: 71,
    startMs: Date.now(),
  });
  const chance = createChance(900_000_000);
  const deliveries: Delivery[] = [];
  const attackRuns = new Map<number, string>();
  for (let index = 0; index < findings; index += 1) {
    deliveries.push(...honest.deliveries.slice(index * gap, (index + 1) * gap));
    // An organisation of its own for each, so that each is an incident of its own.
    const { steps, attack } = unreviewedBuild(createStage(`attacked-${index}`, chance));
    for (const tell of steps.slice(0, attack!.deciding + 1)) deliveries.push(tell(new Date().toISOString()));
    attackRuns.set(deliveries.length - 1, attack!.mark);
  }
  return { deliveries, attackRuns };
}
