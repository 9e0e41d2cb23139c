import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Code once compiled, so that a thousand starts do not compile it a thousand times. */
const compileCache = join(root, 'node_modules/.cache/tripline-faults');

const failpoints = join(import.meta.dirname, 'failpoints.ts');

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A service as a process of its own, that may be killed. */
export type ServiceProcess = {
  child: ChildProcess;
  /** What it wrote last. */
  said: () => string;
  /** Resolves with the exit status or the signal's name. */
  ended: Promise<number | string>;
  /** Ends it, with SIGKILL unless told otherwise, and waits for that. */
  kill: (signal?: NodeJS.Signals) => Promise<void>;
};

/**
 * Starts `node <script> <args>` with nothing of our environment but the path, and `env`. With `FAILPOINT` in it, it dies
 * at that point of points.ts.
 */
export function startProcess(args: readonly string[], env: Record<string, string>, cwd = root): ServiceProcess {
  const isMortal = env['FAILPOINT'] !== undefined || env['IO_SEEN'] !== undefined;
  const child = spawn(process.execPath, [...(isMortal ? ['--import', failpoints] : []), ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  let said = '';
  for (const pipe of [child.stdout, child.stderr])
    pipe.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-40_000);
    });
  const ended = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => {
      alive.delete(child);
      resolve(code ?? signal!);
    }),
  );
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal);
    await ended;
  };
  return { child, said: () => said, ended, kill };
}

/** Starts `tripline <service>` in `cwd`, where it looks for tripline.yaml. `of` is another checkout whose program is to run. */
export function startService(
  service: string,
  env: Record<string, string>,
  { cwd, of = root }: { cwd?: string; of?: string } = {},
): ServiceProcess {
  return startProcess([join(of, 'packages/cli/tripline.mjs'), service], { TRIPLINE_PORT: '0', ...env }, cwd ?? of);
}

/** Fills the cache of compiled code: a process that is killed leaves nothing there. */
export async function warmUp(): Promise<void> {
  const services = ['receiver', 'recorder', 'detector', 'notifier', 'remediator', 'standalone'];
  const mains = services.map((service) => `services/${service}/main.ts`);
  const paths = ['packages/cli/table.ts', 'services/broker/broker.ts', ...mains];
  const script = `await Promise.all(${JSON.stringify(paths)}.map((path) => import(process.cwd() + '/' + path)));`;
  const end = await startProcess(['--input-type=module', '--eval', script], {}).ended;
  if (end !== 0) throw new Error(`compiling ahead ended with ${end}`);
}

/** Resolves with what `look` finds once it finds something; rejects with what the process said when it ends before, or after `patienceMs`. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  options: { patienceMs?: number; everyMs?: number; of?: ServiceProcess; what?: string } = {},
): Promise<T> {
  const { patienceMs = 30_000, everyMs = 10, of, what = 'what was waited for' } = options;
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    const gone = of !== undefined && (of.child.exitCode !== null || of.child.signalCode !== null);
    if (gone || performance.now() > endMs) {
      throw new Error(`${what} did not come${gone ? ', the process ended' : ''}${of ? `:\n${of.said()}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
