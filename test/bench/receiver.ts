import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCorpus } from './corpus.ts';
import { requestBytes, sendAll } from './load.ts';
import { interleave, type Series } from './measure.ts';
import { answers, freePort, start, tripline } from './processes.ts';

/**
 * Deliveries a second that one receiver process keeps in Kafka (verified, normalised, acks=all before 2xx), beside
 * node:http that reads the same bodies and does nothing. The server has core 0 to itself; broker and load share core 1.
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
    }).deliveries.map((delivery, index) => requestBytes({ ...delivery, id: `${seed}-${index}` }, secret));

  const run = async (args: string[], env: Record<string, string>, ready: string) => {
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
      const result = await sendAll({ port, requests: requests(), connections: options.connections });
      if (result.refused > 0) throw new Error(`${result.refused} deliveries were refused:\n${server.output()}`);
      return result.answered / result.seconds;
    } finally {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  };
  return interleave(
    [
      {
        name: 'receiver, kept in Kafka',
        unit: 'deliveries/s',
        run: () =>
          run(
            [tripline, 'receiver'],
            { KAFKA_BROKERS: options.brokers, TRIPLINE_GITHUB_WEBHOOK_SECRET: secret, TRIPLINE_LOG_LEVEL: 'warn' },
            '/readyz',
          ),
      },
      {
        name: 'limit: node:http that reads the body',
        unit: 'deliveries/s',
        run: () => run([join(import.meta.dirname, 'bare-http.ts')], {}, '/'),
      },
    ],
    options.rounds,
  );
}
