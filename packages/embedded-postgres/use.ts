import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { isAlive } from '@tripline/runtime/processes';

/** One use of a server, told to the watchdogs of the others by a file, and guarded by a watchdog of its own. */
export type Use = {
  /** Has the watchdog look after this server from now on. */
  guard: (serverPid: number) => Promise<void>;
  end: () => Promise<void>;
};

/**
 * What a watchdog runs: a shell whose input ends without a word when we are killed. Unless somebody else uses the
 * server, it stops it, if the pid is still the server's. Each watchdog takes its own user's file away before it looks
 * for others, so of several that look at once the last finds none. A zombie uses nothing. A backend that was stopped (SIGSTOP)
 * goes on, or the server would wait for its end for ever.
 */
const script = `
alive() {
  kill -0 "$1" || return 1
  state=$(cat "/proc/$1/stat" || ps -o stat= -p "$1")
  case "\${state##*) }" in [ZX]*) return 1 ;; esac
}
read -r word && exit
rm -f "$2/$3"
for file in "$2"/*; do
  user="\${file##*/}"
  alive "\${user%%.*}" && exit
done
[ "$(head -n 1 "$1")" = "$4" ] || exit
kill -INT "$4"
pkill -CONT -P "$4"`;

/** Enters a use. It comes before the server is asked for, so that no watchdog stops a server that was just joined. */
export function enterUse(dataDir: string, pidFile: string): Use {
  const users = join(dataDir, 'users');
  const name = `${process.pid}.${randomBytes(4).toString('hex')}`;
  mkdirSync(users, { recursive: true, mode: 0o700 });
  for (const other of readdirSync(users)) {
    if (!isAlive(Number.parseInt(other, 10))) rmSync(join(users, other), { force: true });
  }
  writeFileSync(join(users, name), '');
  let guarded: { pid: number; dismiss: () => Promise<void> } | undefined;

  function startWatchdog(serverPid: number): () => Promise<void> {
    const args = ['-c', script, 'watchdog', pidFile, users, name, String(serverPid)];
    const shell = spawn('/bin/sh', args, { cwd: '/', stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    const ended = endOf(shell);
    shell.stdin.on('error', () => {});
    shell.unref();
    (shell.stdin as Socket).unref();
    return () => {
      shell.ref();
      shell.stdin.end('stay\n');
      return ended;
    };
  }

  return {
    async guard(pid) {
      if (guarded?.pid === pid) return;
      const before = guarded;
      guarded = { pid, dismiss: startWatchdog(pid) };
      await before?.dismiss();
    },
    async end() {
      await guarded?.dismiss();
      rmSync(join(users, name), { force: true });
    },
  };
}

/** Resolves when a child has ended or could not be started. */
export function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
}
