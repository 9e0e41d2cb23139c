import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../packages/cli/tripline.mjs');

/** A `tripline` that runs as its own process, with nothing of our environment but the path. */
export type Tripline = {
  child: ChildProcess;
  out: () => string;
  err: () => string;
  /** Resolves with the exit status, or the signal's name. */
  ended: Promise<number | string>;
};

export function startTripline(args: readonly string[], env: Record<string, string>, cwd: string): Tripline {
  const base = { PATH: process.env['PATH'] ?? '', HOME: cwd };
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...base, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal!)),
  );
  return { child, out: () => out, err: () => err, ended };
}

/** Runs one command to its end. */
export async function tripline(args: readonly string[], env: Record<string, string>, cwd: string) {
  const running = startTripline(args, env, cwd);
  const status = await running.ended;
  return { status, out: running.out(), err: running.err() };
}

/** One object a line. */
export function lines(out: string): Record<string, unknown>[] {
  return out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
}

/** Commands of live processes that name `text` in their command line or working directory: what a stop left behind. */
export function processesNaming(text: string): string[] {
  if (!existsSync('/proc/self')) return [];
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      return command !== '' && (command.includes(text) || environment.includes(text)) ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  });
}
