import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCorpus } from './corpus.ts';
import { requestBytes, sendAll } from './load.ts';
import { answers, freePort, start } from './processes.ts';
import { eventOf } from './records.ts';

export const secret = 'bench-webhook-secret';

/** A process that hears deliveries: what to run, what it must be told, and the path that answers once it listens. */
export type HttpServer = { args: string[]; env: Record<string, string>; ready: string };

export type HttpFigures = {
  perSecond: number;
  /** The process's own CPU time a delivery, in µs; NaN where the system has no /proc. */
  cpuMicros: number;
  /** Resident memory when it has just begun to listen, and after the last delivery; NaN likewise. */
  idleBytes: number;
  loadedBytes: number;
};

let seed = 0;

/**
 * Signed deliveries that a receiver keeps, each time others: the same ones again would be answered as duplicates. With
 * `maxBodyBytes`, only those whose body is no longer.
 */
export function signedRequests(deliveries: number, maxBodyBytes = Number.POSITIVE_INFINITY): Buffer[] {
  const requests: Buffer[] = [];
  while (requests.length < deliveries) {
    seed += 1;
    const corpus = makeCorpus({ deliveries, workspaces: 200, attackEvery: 50, seed, startMs: Date.now() });
    for (const [index, delivery] of corpus.deliveries.entries()) {
      // What the receiver ignores it need not keep, and that would flatter it.
      if (delivery.body.length > maxBodyBytes || eventOf(delivery) === undefined) continue;
      requests.push(requestBytes({ ...delivery, id: `${seed}-${index}` }, secret));
    }
  }
  return requests.slice(0, deliveries);
}

/** A server that answers: where, and its process. */
export type RunningServer = { port: number; pid: number; output: () => string; close: () => Promise<void> };

/** Starts a server on core 0; resolves once it listens. */
export async function startServer(server: HttpServer): Promise<RunningServer> {
  const port = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const env = { ...server.env, PORT: String(port), TRIPLINE_PORT: String(port), TRIPLINE_DATA: dataDir };
  const running = start(server.args, { core: 0, env });
  const close = async () => {
    await running.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    await answers(`http://127.0.0.1:${port}${server.ready}`, running);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, pid: running.process.pid!, output: running.output, close };
}

/**
 * Sends a server every request, the first `warmUp` of them before the clock runs: a server runs for weeks, and what it does in its
 * first seconds is the compiler's work.
 */
export async function measureServer(
  server: HttpServer,
  load: { requests: readonly Buffer[]; warmUp: number; connections: number; ratePerSecond?: number },
): Promise<HttpFigures> {
  const { port, pid, output, close } = await startServer(server);
  const { connections, warmUp } = load;
  try {
    const idleBytes = residentBytes(pid);
    const warm = await sendAll({ port, requests: load.requests.slice(0, warmUp), connections });
    const before = cpuMicros(pid);
    const rate = load.ratePerSecond === undefined ? {} : { ratePerSecond: load.ratePerSecond };
    const result = await sendAll({ port, requests: load.requests.slice(warmUp), connections, ...rate });
    const refused = warm.refused + result.refused;
    if (refused > 0) throw new Error(`${refused} deliveries were refused:\n${output()}`);
    return {
      perSecond: result.answered / result.seconds,
      cpuMicros: (cpuMicros(pid) - before) / result.answered,
      idleBytes,
      loadedBytes: residentBytes(pid),
    };
  } finally {
    await close();
  }
}

/** CPU time of all threads of a process, in µs, exact to less than one; NaN where the system does not tell. */
export function cpuMicros(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return (
      threads.reduce((sum, thread) => sum + Number(procFile(pid, `task/${thread}/schedstat`)?.split(' ')[0]), 0) / 1000
    );
  } catch {
    return Number.NaN;
  }
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(procFile(pid, 'status') ?? '')?.[1]) * 1024;
}

function procFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}
