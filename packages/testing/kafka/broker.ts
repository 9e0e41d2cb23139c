import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../ports.ts';
import { kafkaClassPath } from './jars.ts';

/** Real Kafka brokers (KRaft) of a test's own. Brokers are counted from 0. */
export type Brokers = {
  bootstrap: string[];
  /** Address of each secured listener, by its name. */
  secured: Record<string, string>;
  /** Ends a broker with SIGKILL. */
  kill: (broker: number) => Promise<void>;
  /** Ends a broker in an orderly way. */
  stop: (broker: number) => Promise<void>;
  /** Has a broker stand still (SIGSTOP), its connections open, until `thaw`. */
  freeze: (broker: number) => void;
  thaw: (broker: number) => void;
  /** Starts a broker that was ended, on its port and with its data; resolves when it serves. */
  restart: (broker: number) => Promise<void>;
  /** Ends all and removes their data. */
  close: () => Promise<void>;
};

/** Listeners beside the plain one, of one broker; the plain one is its operator's. */
export type SecuredListeners = {
  /** Security protocol by name. */
  listeners: Record<string, 'SSL' | 'SASL_SSL'>;
  /** Of the broker, over the usual ones. */
  settings: Record<string, string | number | boolean>;
  /** As `kafka-storage.sh format --add-scram` takes them. */
  scramUsers?: readonly string[];
  /** Of its Java. */
  systemProperties?: Record<string, string>;
};

type Broker = { process: ChildProcess; pid: number };

const startTimeoutMs = 90_000;

/** Runs a command as its child and dies with it; when our end of its standard input closes, however we ended, it kills the child. */
const watchdog =
  'exec 3<&0; "$@" & child=$!; echo "pid $child"; (cat <&3 >/dev/null; kill -9 $child 2>/dev/null) & wait $child';

/**
 * Starts one broker, or three that replicate to each other.
 * @throws {NoKafkaError} when this machine cannot run Kafka.
 */
export async function startBrokers(options: { brokers: 1 | 3; secured?: SecuredListeners }): Promise<Brokers> {
  const classPath = await kafkaClassPath();
  const count = options.brokers;
  const folder = mkdtempSync(join(tmpdir(), 'tripline-kafka-'));
  // Removes the data even when we are killed.
  const sweeper = spawn('sh', ['-c', 'cat >/dev/null; sleep 1; rm -rf "$1"', 'sweeper', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const { secured } = options;
  const names = Object.keys(secured?.listeners ?? {});
  const ports = await freePorts(count * 2 + names.length);
  const securedPorts = ports.splice(count * 2);
  const voters = Array.from({ length: count }, (_, n) => `${n}@127.0.0.1:${ports[count + n]}`).join();
  // Its first byte is zero, so that it never begins with a dash and passes for an option.
  const clusterId = Buffer.concat([Buffer.alloc(1), randomBytes(15)]).toString('base64url');
  const running: (Broker | undefined)[] = [];

  function java(mainClass: string, args: string[]): ChildProcess {
    const properties = Object.entries(secured?.systemProperties ?? {}).map(([name, value]) => `-D${name}=${value}`);
    const command = [
      'java',
      '-Xmx512m',
      '-Xms128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      classPath,
      ...properties,
    ];
    const logging = [
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
    ];
    // A process group of its own, so that Ctrl-C in the terminal reaches us first.
    return spawn('sh', ['-c', watchdog, 'watchdog', ...command, ...logging, mainClass, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
  }

  function settingsOf(broker: number): string {
    const file = join(folder, `${broker}.properties`);
    const replicas = Math.min(count, 3);
    const open = [
      `PLAINTEXT://127.0.0.1:${ports[broker]}`,
      ...names.map((name, n) => `${name}://127.0.0.1:${securedPorts[n]}`),
    ];
    writeFileSync(
      file,
      Object.entries({
        'process.roles': 'broker,controller',
        'node.id': broker,
        'controller.quorum.voters': voters,
        'controller.listener.names': 'CONTROLLER',
        listeners: [...open, `CONTROLLER://127.0.0.1:${ports[count + broker]}`].join(),
        'advertised.listeners': open.join(),
        'listener.security.protocol.map': [
          'PLAINTEXT:PLAINTEXT',
          'CONTROLLER:PLAINTEXT',
          ...names.map((name) => `${name}:${secured!.listeners[name]}`),
        ].join(),
        'inter.broker.listener.name': 'PLAINTEXT',
        'log.dirs': join(folder, `data-${broker}`),
        'auto.create.topics.enable': false,
        'min.insync.replicas': count === 1 ? 1 : 2,
        'offsets.topic.num.partitions': 4,
        'offsets.topic.replication.factor': replicas,
        'transaction.state.log.num.partitions': 4,
        'transaction.state.log.replication.factor': replicas,
        'transaction.state.log.min.isr': 1,
        'share.coordinator.state.topic.num.partitions': 4,
        'share.coordinator.state.topic.replication.factor': replicas,
        'share.coordinator.state.topic.min.isr': 1,
        'group.initial.rebalance.delay.ms': 0,
        'broker.session.timeout.ms': 3000,
        'broker.heartbeat.interval.ms': 500,
        'log.cleaner.enable': false,
        ...secured?.settings,
      })
        .map(([name, value]) => `${name}=${value}`)
        .join('\n'),
    );
    return file;
  }

  async function start(broker: number): Promise<void> {
    const process = java('kafka.Kafka', [join(folder, `${broker}.properties`)]);
    const output: string[] = [];
    const serving = Promise.withResolvers<void>();
    let pid = 0;
    function hear(line: string) {
      if (line.startsWith('pid ') && pid === 0) pid = Number(line.slice(4));
      if (line.includes('Kafka Server started')) serving.resolve();
      if (output.push(line) > 40) output.shift();
    }
    createInterface({ input: process.stdout! }).on('line', hear);
    createInterface({ input: process.stderr! }).on('line', hear);
    const failed = (why: string) => serving.reject(new Error(`broker ${broker} ${why}:\n${output.join('\n')}`));
    const timer = setTimeout(() => failed('did not start in time'), startTimeoutMs);
    process.once('exit', (code) => {
      process.stdin!.destroy();
      failed(`ended with ${code}`);
    });
    try {
      await serving.promise;
    } catch (error) {
      process.stdin!.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    running[broker] = { process, pid };
  }

  async function end(broker: number, signal: NodeJS.Signals): Promise<void> {
    const one = running[broker];
    if (!one) return;
    running[broker] = undefined;
    const exited = once(one.process, 'exit');
    process.kill(one.pid, signal);
    await exited;
  }

  const brokers: Brokers = {
    secured: Object.fromEntries(names.map((name, n) => [name, `127.0.0.1:${securedPorts[n]}`])),
    bootstrap: ports.slice(0, count).map((port) => `127.0.0.1:${port}`),
    kill: (broker) => end(broker, 'SIGKILL'),
    stop: (broker) => end(broker, 'SIGTERM'),
    freeze: (broker) => void process.kill(running[broker]!.pid, 'SIGSTOP'),
    thaw: (broker) => void process.kill(running[broker]!.pid, 'SIGCONT'),
    restart: start,
    async close() {
      await Promise.all(ports.slice(0, count).map((_, broker) => end(broker, 'SIGKILL')));
      rmSync(folder, { recursive: true, force: true });
      sweeper.stdin!.end();
    },
  };

  try {
    await Promise.all(
      Array.from({ length: count }, async (_, broker) => {
        const users = (secured?.scramUsers ?? []).flatMap((user) => ['--add-scram', user]);
        const format = java('kafka.tools.StorageTool', [
          'format',
          ...['-t', clusterId, '-c', settingsOf(broker), ...users],
        ]);
        const output: Buffer[] = [];
        for (const pipe of [format.stdout!, format.stderr!]) pipe.on('data', (piece: Buffer) => output.push(piece));
        const [code] = await once(format, 'exit');
        format.stdin!.destroy();
        if (code !== 0) {
          throw new Error(`formatting the data of broker ${broker} failed with ${code}:\n${Buffer.concat(output)}`);
        }
      }),
    );
    await Promise.all(Array.from({ length: count }, (_, broker) => start(broker)));
    return brokers;
  } catch (error) {
    await brokers.close();
    throw error;
  }
}
