import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCorpus } from './corpus.ts';
import { requestBytes, sendAll } from './load.ts';
import { format, interleave, median, ratio, type Series } from './measure.ts';
import { answers, freePort, start, tripline } from './processes.ts';
import { eventOf } from './records.ts';

/**
 * Deliveries a second that one receiver process keeps in Kafka (verified, normalised, acks=all before 2xx), beside
 * node:http that reads the same bodies and does nothing, and Octokit's middleware, which verifies and keeps nothing.
 * The server has core 0 to itself; broker and load share core 1. Where the system tells it (Linux), the server's own
 * CPU time is written to stderr too: unlike a rate, it does not change with what else the machine does.
 */
export async function benchReceiver(options: {
  brokers: string;
  deliveries: number;
  rounds: number;
  connections: number;
}): Promise<Series[]> {
  const secret = 'bench-secret';
  let seed = 0;
  // Each round has deliveries of its own: the same ones again would be answered as duplicates.
  const requests = () =>
    makeCorpus({
      deliveries: options.deliveries,
      workspaces: 200,
      attackEvery: 50,
      seed: ++seed,
      startMs: Date.now(),
    })
      // What the receiver sets aside it need not keep, and that would flatter it.
      .deliveries.filter((delivery) => eventOf(delivery) !== undefined)
      .map((delivery, index) => requestBytes({ ...delivery, id: `${seed}-${index}` }, secret));

  const cpu: Series[] = [];
  const run = async (name: string, args: string[], env: Record<string, string>, ready: string) => {
    const port = await freePort();
    const dataDir = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
    const server = start(args, {
      core: 0,
      env: {
        ...env,
        PORT: String(port),
        ...(env['KAFKA_BROKERS'] ? { TRIPLINE_PORT: String(port), TRIPLINE_DATA: dataDir } : {}),
      },
    });
    try {
      await answers(`http://127.0.0.1:${port}${ready}`, server);
      const made = requests();
      const before = cpuMicros(server.process.pid!);
      const result = await sendAll({ port, requests: made, connections: options.connections });
      const cost = (cpuMicros(server.process.pid!) - before) / result.answered;
      const series = cpu.find((one) => one.name === name);
      if (series) series.values.push(cost);
      // Its first round warms up, and does not count.
      else cpu.push({ name, unit: 'µs CPU', values: [] });
      if (result.refused > 0) throw new Error(`${result.refused} deliveries were refused:\n${server.output()}`);
      return result.answered / result.seconds;
    } finally {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  };
  const series = await interleave(
    [
      {
        name: 'receiver, kept in Kafka',
        unit: 'deliveries/s',
        run: () =>
          run(
            'receiver',
            [tripline, 'receiver'],
            { KAFKA_BROKERS: options.brokers, TRIPLINE_GITHUB_WEBHOOK_SECRET: secret, TRIPLINE_LOG_LEVEL: 'warn' },
            '/readyz',
          ),
      },
      {
        name: 'limit: node:http that reads the body',
        unit: 'deliveries/s',
        run: () => run('node:http', [join(import.meta.dirname, 'bare-http.ts')], {}, '/'),
      },
      {
        name: '@octokit/webhooks, keeps nothing',
        unit: 'deliveries/s',
        run: () => run('@octokit/webhooks', [join(import.meta.dirname, 'octokit.ts')], { SECRET: secret }, '/'),
      },
    ],
    options.rounds,
  );
  for (const one of cpu) {
    const against = ratio(one, cpu[0]!);
    process.stderr.write(
      `  ${one.name}: ${format(median(one.values))} ${one.unit} a delivery, ` +
        `${format(against.median)} (${format(against.min)}–${format(against.max)}) of ours\n`,
    );
  }
  return series;
}

/** CPU time that a process has used, in µs; NaN where the system has no /proc. Ticks are of 10 ms. */
function cpuMicros(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return Number.NaN;
  }
}
