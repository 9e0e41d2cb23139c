import { join } from 'node:path';
import { type HttpServer, measureServer, secret, signedRequests } from './http-server.ts';
import { format, interleave, median, ratio, type Series } from './measure.ts';
import { tripline } from './processes.ts';

export type ReceiverLoad = {
  brokers: string;
  deliveries: number;
  rounds: number;
  connections: number;
  /** Only deliveries whose body is no longer. The corpus has some 10 kB on average; up to 8,192 bytes, 6.3 kB. */
  maxBodyBytes?: number;
};

/** Of each server in turn: deliveries a second, and µs of CPU a delivery (NaN where the system does not tell). */
export type ServerFigures = { rates: Series[]; cpu: Series[] };

/** The receiver itself, as `tripline receiver` runs it. */
export function receiverProcess(brokers: string): HttpServer {
  const env = {
    KAFKA_BROKERS: brokers,
    TRIPLINE_GITHUB_WEBHOOK_SECRET: secret,
    TRIPLINE_LOG_LEVEL: 'warn',
    TRIPLINE_OPERATIONS_PORT: '0',
  };
  return { args: [tripline, 'receiver'], env, ready: '/readyz' };
}

const bareHttp: HttpServer = { args: [join(import.meta.dirname, 'bare-http.ts')], env: {}, ready: '/' };

/**
 * Deliveries a second that one receiver process keeps in Kafka (verified, normalised, acks=all before 2xx), beside
 * node:http that reads the same bodies and does nothing, and Octokit's middleware, which verifies and keeps nothing.
 * The server has core 0 to itself; broker and load share core 1.
 */
export function benchReceiver(load: ReceiverLoad): Promise<ServerFigures> {
  const octokit = { args: [join(import.meta.dirname, 'octokit.ts')], env: { SECRET: secret }, ready: '/' };
  return benchServers(load, [
    { name: 'receiver, kept in Kafka', server: receiverProcess(load.brokers) },
    { name: 'limit: node:http that reads the body', server: bareHttp },
    { name: '@octokit/webhooks, keeps nothing', server: octokit },
  ]);
}

/** A server runs for weeks: after 8,000 deliveries a twelfth of the receiver's time is still its compiler's. */
const warmUps = 3;

/**
 * Rates of several servers under the same load, in turn. Where the system tells it (Linux), each one's CPU time a
 * delivery and its memory are written to stderr too: unlike a rate, they do not change with what else the machine does.
 */
export async function benchServers(
  load: ReceiverLoad,
  servers: readonly { name: string; server: HttpServer }[],
): Promise<ServerFigures> {
  const cpu = servers.map(({ name }): Series => ({ name, unit: 'µs CPU', values: [] }));
  const memory: string[] = [];
  const rates = await interleave(
    servers.map(({ name, server }, nth) => ({
      name,
      unit: 'deliveries/s',
      async run() {
        const warmUp = load.deliveries * warmUps;
        const requests = signedRequests(warmUp + load.deliveries, load.maxBodyBytes);
        const figures = await measureServer(server, { ...load, requests, warmUp });
        cpu[nth]!.values.push(figures.cpuMicros);
        memory[nth] = `${megabytes(figures.idleBytes)} MB idle, ${megabytes(figures.loadedBytes)} MB under load`;
        return figures.perSecond;
      },
    })),
    load.rounds,
  );
  for (const [nth, one] of cpu.entries()) {
    const { median: middle, min, max } = ratio(one, cpu[0]!);
    process.stderr.write(
      `  ${one.name}: ${format(median(one.values))} ${one.unit} a delivery, ` +
        `${format(middle)} (${format(min)}–${format(max)}) of ours; ${memory[nth]}\n`,
    );
  }
  // Its first round warms up, and does not count.
  return { rates, cpu: cpu.map((one) => ({ ...one, values: one.values.slice(1) })) };
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
