import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { type HttpServer, measureServer, secret, signedRequests } from './http-server.ts';
import { format, type Series } from './measure.ts';
import { benchReceiver, benchServers, type ReceiverLoad, receiverProcess, type ServerFigures } from './receiver.ts';
import { rungs } from './receiver-rung.ts';
import { type Spans, spansInTurn } from './spans-in-turn.ts';

/**
 * What stands between node:http and the receiver: the same deliveries, one more step of the receiver's work on each rung,
 * and at the top the receiver itself. The rung below it keeps the event in Kafka with acks=all and has neither spool,
 * duplicates, metrics nor limits.
 *
 *     node test/bench/receiver-ladder.ts [--deliveries 8000] [--rounds 3] [--max-body 8192] [--memory]
 */
export function benchReceiverLadder(load: ReceiverLoad): Promise<ServerFigures> {
  return benchServers(load, [receiver(load), ...rungs.map((_, nth) => rung(nth, load))]);
}

/**
 * The receiver beside what of its work is not ours: HTTP, HMAC, SHA-256 and JSON.parse. Both do the same things to the
 * same bytes, so the ratio moves less with the machine than one to bare HTTP.
 */
export function receiverBesideParsing(load: Pick<ReceiverLoad, 'brokers'> & Spans): Promise<Series[]> {
  return spansInTurn([receiver(load), rung(rungs.indexOf('JSON.parse'), load)], load);
}

function receiver({ brokers }: Pick<ReceiverLoad, 'brokers'>): { name: string; server: HttpServer } {
  return { name: 'receiver, kept in Kafka', server: receiverProcess(brokers) };
}

function rung(nth: number, { brokers }: Pick<ReceiverLoad, 'brokers'>): { name: string; server: HttpServer } {
  const server = {
    args: [join(import.meta.dirname, 'receiver-rung.ts')],
    env: { RUNG: String(nth), SECRET: secret, BROKERS: brokers },
    ready: '/',
  };
  return { name: `rung ${nth}: ${nth === 0 ? '' : '+ '}${rungs[nth]}`, server };
}

if (process.argv[1] === import.meta.filename) {
  const { values: flags } = parseArgs({
    options: {
      deliveries: { type: 'string', default: '8000' },
      rounds: { type: 'string', default: '3' },
      'max-body': { type: 'string' },
      peers: { type: 'boolean' },
      memory: { type: 'boolean' },
    },
  });
  const brokers = await startBrokers({ brokers: 1 });
  try {
    const load = {
      brokers: brokers.bootstrap.join(','),
      deliveries: Number(flags.deliveries),
      rounds: Number(flags.rounds),
      connections: 64,
      ...(flags['max-body'] === undefined ? {} : { maxBodyBytes: Number(flags['max-body']) }),
    };
    if (flags.memory) await showMemory(load);
    else await (flags.peers ? benchReceiver(load) : benchReceiverLadder(load));
  } finally {
    await brokers.close();
  }
}

/** Memory at 2,000 deliveries a second, as the goals have it. */
async function showMemory(load: ReceiverLoad): Promise<void> {
  const requests = signedRequests(load.deliveries);
  const figures = await measureServer(receiverProcess(load.brokers), {
    ...load,
    requests,
    warmUp: 0,
    ratePerSecond: 2000,
  });
  const megabytes = (bytes: number) => format(bytes / 1024 / 1024);
  process.stdout.write(
    `receiver: ${megabytes(figures.idleBytes)} MB idle, ${megabytes(figures.loadedBytes)} MB after ` +
      `${load.deliveries} deliveries at ${format(figures.perSecond)}/s; ${format(figures.cpuMicros)} µs CPU each\n`,
  );
}
