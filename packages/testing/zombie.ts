import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { isListed } from '@tripline/runtime/processes';

/**
 * A real zombie: a process that was killed, and whose parent (a `sleep` that never asks) has not asked after it. `began`
 * is what `processBegan` said while it lived.
 */
export async function startZombie(began?: (pid: number) => string | null) {
  const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(said.toString());
  // Until it has become the `sleep`, the shell asks after its children.
  while (!commandOf(parent.pid!).endsWith('sleep')) await new Promise((resolve) => setTimeout(resolve, 5));
  const beganAt = began?.(pid) ?? null;
  process.kill(pid, 'SIGKILL');
  const reap = async () => {
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    // Whoever inherits it may take a moment, or never ask.
    for (let asked = 0; asked < 50 && isListed(pid); asked += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return { pid, began: beganAt, reap };
}

const commandOf = (pid: number): string =>
  execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).trim();
