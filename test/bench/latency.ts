import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { weave } from './attacks.ts';
import { benchBurst } from './burst.ts';
import { wallMs } from './fake-service.ts';
import { requestBytes, sendAll } from './load.ts';
import { format, percentile } from './measure.ts';
import { startWhole, type Whole } from './whole.ts';

/**
 * `node test/bench/latency.ts [slack] [--rate 2000] [--findings-per-second 20] [--findings 200] [--kafka] [--apart]`: from the
 * delivery that decides to the call of Slack, and where the time goes. `… revoke`: to the answered call that acts.
 * `… memory`: at rest and at that rate. `… burst [--burst 20000]`: how far the detector falls behind, on Kafka.
 */

/** Where a finding's time went, ms. */
export type Leg = { name: string; ms: number[] };
export type Latencies = {
  ratePerSecond: number;
  findingsPerSecond: number;
  /** What the load reached. */
  reachedPerSecond: number;
  findings: number;
  missing: number;
  /** Of findings whose incident got a message of its own: from the delivery's first byte to Slack being called. */
  latenciesMs: number[];
  /** Findings that were told within a digest instead, since one channel takes one message a second. */
  digested: number;
  /** How often Slack was called in all. */
  slackCalls: number;
  /** CPU time a delivery, µs: of `tripline up`, and of its Postgres. Does not change with what else the machine does. */
  cpuMicros: { tripline: number; postgres: number };
  legs: Leg[];
};

export type Rate = {
  ratePerSecond: number;
  findings: number;
  /** 1 in 1.3 s unless told otherwise: what one Slack channel takes without pacing. */
  findingsPerSecond?: number;
  /** Kafka's brokers; without them the log is a table of Postgres. */
  brokers?: string;
  /** One process a service, as docker-compose.yml has it; all in one `tripline up` unless told so. */
  apart?: boolean;
};

/** Where it is measured, as every kind of measure takes it. */
const placeOf = ({ brokers, apart }: Omit<Rate, 'findings'>) => ({ brokers, apart });

/**
 * The whole way through receiver, log, detector, job and notifier, while other deliveries come at a steady rate. Postgres
 * is a process of its own.
 */
export async function benchLatency(options: Rate): Promise<Latencies> {
  const whole = await startWhole(placeOf(options));
  try {
    const sent = await send(whole, options);
    await settled(whole, 'told');
    return await latenciesOf(whole, options, sent);
  } finally {
    await whole.close();
  }
}

export type Revocations = { findings: number; missing: number; fromDeliveryMs: number[]; fromFindingMs: number[] };

/** From the deciding delivery, and from the finding's record, to the answer of the call that acts, at a GitHub that takes 50 ms a call. */
export async function benchRevocation(options: Rate): Promise<Revocations> {
  const whole = await startWhole({ ...placeOf(options), act: true });
  try {
    const { runs } = await send(whole, options);
    await settled(whole, 'acted');
    const answered = new Map(
      whole.githubCalls.map(({ request, answeredMs }) => [/runs\/(\d+)\/cancel/.exec(request)?.[1], answeredMs]),
    );
    const facts = await factsOf(whole);
    const acted = [...runs].flatMap(([run, sentMs]) => {
      const answeredMs = answered.get(run);
      return answeredMs === undefined
        ? []
        : [{ fromDelivery: answeredMs - sentMs, fromFinding: answeredMs - facts.get(run)!.recordedMs }];
    });
    return {
      findings: runs.size,
      missing: runs.size - acted.length,
      fromDeliveryMs: acted.map(({ fromDelivery }) => fromDelivery),
      fromFindingMs: acted.map(({ fromFinding }) => fromFinding),
    };
  } finally {
    await whole.close();
  }
}

export type Memory = Record<'idle' | 'loaded', { tripline: number; postgres: number }>;

/** MiB of `tripline up` and of its Postgres: at rest, and the most that they had at a steady rate. */
export async function benchMemory(options: Omit<Rate, 'findings'> & { seconds: number }): Promise<Memory> {
  const whole = await startWhole(placeOf(options));
  try {
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const idle = whole.memoryMib();
    const loaded = { ...idle };
    const sampling = setInterval(() => {
      const now = whole.memoryMib();
      for (const name of ['tripline', 'postgres'] as const) loaded[name] = Math.max(loaded[name], now[name]);
    }, 500);
    await send(whole, { ...options, findings: Math.ceil(options.seconds / 1.3) });
    clearInterval(sampling);
    return { idle, loaded };
  } finally {
    await whole.close();
  }
}

type Sent = { runs: Map<string, number>; perSecond: number; cpuMicros: { tripline: number; postgres: number } };

/** Sends the woven traffic; answers when the delivery that decides of each attack went out, ms since the epoch. */
async function send(whole: Whole, { ratePerSecond, findings, findingsPerSecond = 1 / 1.3 }: Rate): Promise<Sent> {
  // What is compiled and cached on first use is not what a running Tripline takes.
  for (const warming of [true, false]) {
    const plan = warming
      ? { ratePerSecond, findings: 3, findingsPerSecond: 1, seed: 5 }
      : { ratePerSecond, findings, findingsPerSecond };
    const { deliveries, runs } = weave(plan);
    const sentMs = new Map<string, number>();
    const before = whole.cpuMs();
    const result = await sendAll({
      port: whole.port,
      requests: deliveries.map((delivery, index) =>
        requestBytes({ ...delivery, id: `${warming}-${index}` }, whole.secret),
      ),
      connections: 256,
      ratePerSecond,
      onSend: (index) => {
        const run = runs.get(index);
        if (run !== undefined) sentMs.set(run, wallMs());
      },
    });
    if (result.refused > 0) throw new Error(`${result.refused} deliveries were refused:\n${whole.output()}`);
    if (!warming) {
      const after = whole.cpuMs();
      const each = (name: 'tripline' | 'postgres') => ((after[name] - before[name]) * 1000) / deliveries.length;
      const cpuMicros = { tripline: each('tripline'), postgres: each('postgres') };
      return { runs: sentMs, perSecond: result.answered / result.seconds, cpuMicros };
    }
    await settled(whole, 'told');
  }
  throw new Error('unreachable');
}

/** Waits until nothing is left to tell, or to do, or half a minute is over. */
async function settled(whole: Whole, what: 'told' | 'acted'): Promise<void> {
  const left =
    what === 'told'
      ? `SELECT count(*)::int AS left FROM incidents i LEFT JOIN told t ON t.incident = i.id AND t.sink = 'slack' WHERE coalesce(t.version, 0) = 0`
      : `SELECT count(*)::int AS left FROM findings f LEFT JOIN remediations r ON r.finding = f.id WHERE f.incident IS NOT NULL AND r.settled_at IS NULL`;
  const until = performance.now() + 30_000;
  // The detector may still be at what was just sent.
  await new Promise((resolve) => setTimeout(resolve, 500));
  while (performance.now() < until) {
    const { rows } = await whole.db.pool.query<{ left: number }>(left);
    if (rows[0]!.left === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

type Facts = { incident: string; appendedMs: number; recordedMs: number; folded: boolean };

/** By run: what Postgres knows of its finding. */
async function factsOf(whole: Whole): Promise<Map<string, Facts>> {
  const { rows } = await whole.db.pool.query<Facts & { run: string }>(
    `SELECT f.incident, extract(epoch FROM f.detected_at)::float8 * 1000 AS "appendedMs",
       extract(epoch FROM f.recorded_at)::float8 * 1000 AS "recordedMs",
       split_part(f.occasion, '/', 1) AS run,
       EXISTS (SELECT FROM messages m WHERE m.incident = f.incident AND m.kind = 'folded') AS folded
     FROM findings f WHERE f.incident IS NOT NULL`,
  );
  return new Map(rows.map(({ run, ...facts }) => [run, facts]));
}

async function latenciesOf(whole: Whole, options: Rate, { runs, perSecond, cpuMicros }: Sent): Promise<Latencies> {
  const facts = await factsOf(whole);
  const legs: Leg[] = ['delivery → in the log', 'log → finding written', 'finding written → Slack called'].map(
    (name) => ({ name, ms: [] }),
  );
  const latenciesMs: number[] = [];
  let missing = 0;
  let digested = 0;
  for (const [run, sentMs] of runs) {
    const fact = facts.get(run);
    const called = fact && whole.slackCalls.find(({ text }) => text.includes(run));
    if (fact?.folded) digested += 1;
    else if (called === undefined) missing += 1;
    else {
      latenciesMs.push(called.atMs - sentMs);
      const stations = [sentMs, fact!.appendedMs, fact!.recordedMs, called.atMs];
      for (const [place, leg] of legs.entries()) leg.ms.push(stations[place + 1]! - stations[place]!);
    }
  }
  return {
    ratePerSecond: options.ratePerSecond,
    findingsPerSecond: options.findingsPerSecond ?? 1 / 1.3,
    reachedPerSecond: perSecond,
    findings: runs.size,
    missing,
    latenciesMs,
    digested,
    slackCalls: whole.slackCalls.length,
    cpuMicros,
    legs,
  };
}

export function spread(ms: readonly number[]): string {
  if (ms.length === 0) return 'none';
  return `p50 ${format(percentile(ms, 0.5))} ms, p99 ${format(percentile(ms, 0.99))} ms (${ms.length})`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rate: { type: 'string', default: '2000' },
      findings: { type: 'string', default: '20' },
      'findings-per-second': { type: 'string' },
      burst: { type: 'string', default: '20000' },
      kafka: { type: 'boolean' },
      apart: { type: 'boolean', default: false },
    },
  });
  const brokers = values.kafka || positionals[0] === 'burst' ? await startBrokers({ brokers: 1 }) : undefined;
  const perSecond = values['findings-per-second'];
  const rate: Rate = {
    ratePerSecond: Number(values.rate),
    findings: Number(values.findings),
    apart: values.apart,
    ...(perSecond === undefined ? {} : { findingsPerSecond: Number(perSecond) }),
    ...(brokers ? { brokers: brokers.bootstrap.join(',') } : {}),
  };
  try {
    if (positionals[0] === 'revoke') {
      const { findings, missing, fromDeliveryMs, fromFindingMs } = await benchRevocation(rate);
      console.log(`${findings} findings, ${missing} not acted upon`);
      console.log(
        `delivery → call answered: ${spread(fromDeliveryMs)}\nfinding → call answered: ${spread(fromFindingMs)}`,
      );
    } else if (positionals[0] === 'memory') {
      for (const [when, { tripline, postgres }] of Object.entries(await benchMemory({ ...rate, seconds: 15 })))
        console.log(`${when}: tripline ${format(tripline)} MiB, Postgres ${format(postgres)} MiB`);
    } else if (positionals[0] === 'burst') {
      const burstPerSecond = Number(values.burst);
      const result = await benchBurst({ brokers: rate.brokers!, steadyPerSecond: rate.ratePerSecond, burstPerSecond });
      console.log(JSON.stringify(result, null, 2));
    } else {
      const { legs, latenciesMs, ...counts } = await benchLatency(rate);
      console.log(JSON.stringify(counts));
      console.log(`delivery → Slack called: ${spread(latenciesMs)}`);
      for (const { name, ms } of legs) console.log(`  ${name}: ${spread(ms)}`);
    }
  } finally {
    await brokers?.close();
  }
}

if (import.meta.main) await main();
