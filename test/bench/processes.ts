import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePorts } from '../../packages/testing/ports.ts';

export const root = join(import.meta.dirname, '../..');
export const tripline = join(root, 'packages/cli/tripline.mjs');
const hasTaskset = process.platform === 'linux';

/** A contestant's process, pinned to one core where the system can, so that load and server do not trade places. */
export type Contestant = { stop: () => Promise<void>; process: ChildProcess; output: () => string };

export function start(
  args: readonly string[],
  options: { env?: Record<string, string>; core?: number } = {},
): Contestant {
  const command = [process.execPath, ...args];
  const pinned =
    options.core !== undefined && hasTaskset ? ['taskset', '-c', String(options.core), ...command] : command;
  const child = spawn(pinned[0]!, pinned.slice(1), {
    cwd: root,
    env: { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output = (output + chunk).slice(-200_000)));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
  };
  return { process: child, output: () => output, stop };
}

/** Resolves when `url` answers 2xx; rejects with the process's last words when it ends before. */
export async function answers(url: string, contestant: Contestant, patienceMs = 30_000): Promise<void> {
  const until = Date.now() + patienceMs;
  while (Date.now() < until) {
    if (contestant.process.exitCode !== null)
      throw new Error(`the process ended before it answered:\n${contestant.output()}`);
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} did not answer within ${patienceMs} ms:\n${contestant.output()}`);
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}
