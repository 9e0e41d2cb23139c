import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from '../ports.ts';

/** Debian puts it where only root looks. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };

/**
 * Whether this machine has PgBouncer; a suite that needs it says so: `describe.skipIf(!havePgBouncer())`. Under CI it must
 * be there (.ci/run installs it).
 */
export function havePgBouncer(): boolean {
  const there = spawnSync('pgbouncer', ['--version'], { env }).error === undefined;
  if (!there && process.env['CI'] === 'true') throw new Error('PgBouncer is not installed: see .ci/run');
  return there;
}

/** A real PgBouncer before the server behind `url`, whose socket's folder is the URL's `host`. */
export async function startPgBouncer(
  url: string,
  settings: Record<string, string>,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = new URL(url);
  const socketDir = server.searchParams.get('host')!;
  const { uid, gid } = statSync(socketDir);
  const folder = mkdtempSync(join(tmpdir(), 'tripline-pgbouncer-'));
  chmodSync(folder, 0o755);
  const [port] = (await freePorts(1)) as [number];
  const users = join(folder, 'users.txt');
  writeFileSync(users, `"${server.username}" ""\n`);
  const file = join(folder, 'pgbouncer.ini');
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: users,
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(file, `[databases]\n* = host=${socketDir} port=5432\n[pgbouncer]\n${lines.join('')}`);
  // It refuses to run as root, and the socket's folder is its owner's alone.
  for (const one of [users, file]) chownSync(one, uid, gid);
  const as = process.getuid?.() === 0 ? { uid, gid } : {};
  const bouncer = spawn('pgbouncer', ['-q', file], { ...as, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  bouncer.stderr!.on('data', (piece: Buffer) => {
    said = `${said}${piece}`.slice(-4000);
  });
  const ended = once(bouncer, 'exit');
  async function close(): Promise<void> {
    if (bouncer.exitCode === null && bouncer.signalCode === null) bouncer.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
  for (let isUp = false; !isUp; await pause(20)) {
    if (bouncer.exitCode !== null) {
      await close();
      throw new Error(`PgBouncer ended with ${bouncer.exitCode}: ${said}`);
    }
    const socket = connect(port, '127.0.0.1');
    isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
  }
  return { url: `postgresql://${server.username}@127.0.0.1:${port}${server.pathname}`, close };
}
