import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { root } from '../processes.ts';

/** One who runs beside ours; fits `interleave`. `run` gives the figure of one round. */
export type Peer = {
  name: string;
  unit: string;
  /** How it was tuned and what it cannot do, for the table. */
  note: string;
  run: () => Promise<number>;
  /** Ends what lives through all rounds. */
  close: () => Promise<void>;
};
/** A peer that cannot run on this machine, and why: the table says so, and the bench goes on. */
export type Absent = { name: string; absent: string };

/** What makes a finding one, as `findings` keeps it. */
export type Found = { rule: string; workspace: string; subject: string; occasion: string };

/** What a detector's peers are given: a full topic, and the rules as ours are configured for it. */
export type DetectorTask = {
  /** `host:port`, several parted by commas. */
  brokers: string;
  topic: string;
  /** Records in the topic. */
  total: number;
  /** Days for which rules that learn find nothing; 14 by default, as ours. */
  learningDays?: number;
  /** `rules.settings` of tripline.yaml. */
  settings?: Record<string, Record<string, unknown>>;
  /** Throws when these are not the true findings of the corpus. */
  check: (findings: readonly Found[]) => void;
};

const hasTaskset = process.platform === 'linux';

/** Starts a program in the repository's root, pinned to `core` where the system can. */
export function startProgram(
  command: readonly [string, ...string[]],
  options: { core?: number; env?: Record<string, string>; cwd?: string } = {},
): { process: ChildProcess; output: () => string } {
  const [program, ...args] =
    options.core !== undefined && hasTaskset ? ['taskset', '-c', String(options.core), ...command] : command;
  const child = spawn(program!, args, {
    cwd: options.cwd ?? root,
    env: { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-20_000);
    });
  // Where it cannot be started, or ends while it is spoken to, `output` and its exit tell.
  child.on('error', (error) => {
    output += String(error);
  });
  child.stdin.on('error', () => {});
  return { process: child, output: () => output };
}

/** Runs a Node program of the bench on core 0 to its end; it prints one line of JSON. */
export async function measured(args: readonly string[], env: Record<string, string> = {}): Promise<{ rate: number }> {
  const { process: child, output } = startProgram([process.execPath, ...args], { core: 0, env });
  child.stdin!.end();
  await new Promise((resolve) => child.once('close', resolve));
  const line = output()
    .split('\n')
    .find((text) => text.startsWith('{"rate"'));
  if (line === undefined) throw new Error(`${args[0]} said nothing:\n${output()}`);
  return JSON.parse(line) as { rate: number };
}

const run = promisify(execFile);

/** Runs a tool that prepares a peer. @throws {Error} with its last words. */
export async function prepare(program: string, args: readonly string[], env: Record<string, string> = {}) {
  try {
    return await run(program, [...args], { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { code, stderr, stdout } = error as { code?: string | number; stderr?: string; stdout?: string };
    if (code === 'ENOENT') throw new Error(`${program} is not on the PATH`);
    throw new Error(`${program} ${args[0]} failed: ${`${stdout ?? ''}${stderr ?? ''}`.trim().slice(-600)}`);
  }
}

/** The peer, or why this machine cannot have it. */
export async function orAbsent(name: string, make: () => Promise<Peer>): Promise<Peer | Absent> {
  try {
    return await make();
  } catch (error) {
    return { name, absent: (error instanceof Error ? error.message : String(error)).slice(0, 300) };
  }
}
