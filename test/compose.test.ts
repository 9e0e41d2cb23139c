import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { haveKafka, kafkaBrokers } from '../packages/testing/kafka/kafka.ts';
import { freshDatabase } from '../packages/testing/postgres/postgres.ts';
import { lines, processesNaming, tripline } from '../packages/testing/tripline.ts';

type Service = {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  secrets?: string[];
  ports?: string[];
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
};
const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
};
const dockerfile = read('Dockerfile');
const ours = Object.entries(compose.services).filter(([, { image }]) => image.startsWith('tripline:'));

describe('docker-compose.yml', () => {
  test('fits the Compose Specification', () => {
    const { $schema: _, ...schema } = JSON.parse(read('node_modules/dclint/schemas/compose.schema.json'));
    const check = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    check(compose);
    expect(check.errors).toBeNull();
    expect(check({ services: { a: { imagge: 'x' } } })).toBe(false);
  });

  test('runs every service, and each with no more rights than it needs', () => {
    const commands = ours.map(([, { command }]) => command?.[0]).sort();
    expect(commands).toEqual([
      'broker',
      'detector',
      'migrate',
      'notifier',
      'receiver',
      'reconciler',
      'recorder',
      'remediator',
    ]);
    for (const [name, service] of ours) {
      expect(service, name).toMatchObject({
        user: 'node',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
    for (const [name, { cap_drop, security_opt }] of Object.entries(compose.services)) {
      expect({ cap_drop, security_opt }, name).toEqual({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    }
  });

  test('publishes on loopback only, and holds no secret itself', () => {
    for (const [name, { ports = [], environment = {}, secrets = [] }] of Object.entries(compose.services)) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
      for (const [variable, value] of Object.entries(environment)) {
        if (/SECRET|PASSWORD|TOKEN|KEY|DATABASE_URL/.test(variable)) {
          expect(variable, name).toMatch(/_FILE$/);
          expect(secrets, name).toContain(value.replace('/run/secrets/', ''));
        }
      }
      for (const secret of secrets) expect(compose.secrets, name).toHaveProperty(secret);
    }
  });
});

test('the Dockerfile has no fault, pins its base and does not run as root', () => {
  expect(validate(dockerfile)).toEqual([]);
  for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) expect(image).toMatch(/^node:24\.\d+\.\d+-\w+-slim$/);
  expect(
    dockerfile
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('USER'))
      .at(-1),
  ).toBe('USER node');
});

describe.skipIf(!haveKafka())('the services of docker-compose.yml, as processes', () => {
  let folder: string;
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  const running = new Map<string, { child: ChildProcess; env: Record<string, string>; said: () => string }>();
  const secret = 'a-webhook-secret-for-this-test-alone';
  const drillKey = 'a-drill-key-for-this-test-alone';
  const entrypoint = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)![1]!) as string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tripline-compose-'));
    fresh = await freshDatabase();
    await fresh.db.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA graphile_worker CASCADE');
    writeFileSync(join(folder, 'database_url'), fresh.url);
    writeFileSync(join(folder, 'github_webhook_secret'), `${secret}\n`);
    writeFileSync(join(folder, 'drill_key'), `${drillKey}\n`);
    writeFileSync(join(folder, 'internal_key'), 'an-internal-key-for-this-test-alone\n');
    writeFileSync(join(folder, 'broker_event_key'), 'a-key-of-events-for-this-test-alone\n');
    writeFileSync(join(folder, 'broker_sealing_key'), 'a-key-of-seals-for-this-test-alone\n');
  });
  afterAll(async () => {
    for (const { child } of running.values()) child.kill('SIGKILL');
    await fresh?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The file's own environment; what Docker would provide by name is here a loopback port, a file, a folder. */
  async function environmentOf(name: string, { environment = {} }: Service): Promise<Record<string, string>> {
    const env: Record<string, string> = { PATH: process.env['PATH']!, HOME: folder };
    for (const [variable, value] of Object.entries(environment)) {
      env[variable] = value
        .replace('/run/secrets', folder)
        .replace('/var/lib/tripline', join(folder, name))
        .replace('kafka:9092', kafkaBrokers().join(','))
        .replace('0.0.0.0', '127.0.0.1');
    }
    // Each has a network of its own there; here they share one machine's ports.
    for (const port of ['TRIPLINE_PORT', 'TRIPLINE_BROKER_PORT']) if (env[port]) env[port] = String(await freePort());
    env['TRIPLINE_OPERATIONS_PORT'] = '0';
    return env;
  }

  function run(args: readonly string[], env: Record<string, string>): { child: ChildProcess; said: () => string } {
    const [program, ...rest] = args;
    const child = spawn(program === 'node' ? process.execPath : program!, rest, { cwd: root, env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        said += chunk;
      });
    }
    return { child, said: () => said };
  }

  const end = (child: ChildProcess) =>
    new Promise<number | string>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? child.signalCode!);
      else child.once('exit', (code, signal) => resolve(code ?? signal!));
    });

  test('start in their order, become healthy, play their part, and stop', async () => {
    const waiting = new Map(ours);
    const done = new Set(['kafka', 'postgres']);
    while (waiting.size > 0) {
      const next = [...waiting].filter(([, { depends_on = {} }]) =>
        Object.keys(depends_on).every((on) => done.has(on)),
      );
      expect(next.length).toBeGreaterThan(0);
      for (const [name, service] of next) {
        waiting.delete(name);
        const env = await environmentOf(name, service);
        mkdirSync(join(folder, name), { recursive: true });
        const started = run([...entrypoint, ...service.command!], env);
        if (service.healthcheck) running.set(name, { ...started, env });
        else expect(await end(started.child), started.said()).toBe(0);
        done.add(name);
      }
    }
    for (const [name, { child, env, said }] of running) {
      const [kind, ...check] = compose.services[name]!.healthcheck!.test;
      expect(kind).toBe('CMD');
      await expect
        .poll(async () => (child.exitCode === null ? end(run(check, env).child) : `${name} ended: ${said()}`), {
          timeout: 60_000,
          interval: 200,
        })
        .toBe(0);
    }

    const { TRIPLINE_PORT } = running.get('receiver')!.env;
    const env = {
      DATABASE_URL: fresh.url,
      KAFKA_BROKERS: kafkaBrokers().join(','),
      TRIPLINE_DRILL_KEY: drillKey,
    };
    const url = ['--url', `http://127.0.0.1:${TRIPLINE_PORT}`];
    const played = await tripline(['attack', 'build-from-unreviewed-commit', '--json', ...url], env, folder);
    expect(lines(played.out).at(-1)).toMatchObject({ what: 'verdict', ok: true });
    expect(played.status).toBe(0);
    const benign = await tripline(
      ['attack', 'build-from-unreviewed-commit', '--benign', '--json', ...url],
      env,
      folder,
    );
    expect(benign.status).toBe(0);
    expect(await tripline(['trail', 'verify'], env, folder)).toMatchObject({ status: 0 });

    for (const { child } of running.values()) child.kill('SIGTERM');
    for (const [name, { child, said }] of running) expect(await end(child), `${name}: ${said()}`).toBe(0);
    expect(processesNaming(folder)).toEqual([]);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
