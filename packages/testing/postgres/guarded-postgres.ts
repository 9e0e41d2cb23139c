import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { type Db, openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { findProgram } from '@tripline/embedded-postgres/program';
import pg from 'pg';
import { createAuthority, type Pair } from '../certificates.ts';
import { freePorts } from '../ports.ts';

/** A Postgres that listens on TCP, which the embedded one never does, and knows its users by password or certificate. */
export type GuardedPostgres = {
  port: number;
  /** As the superuser. */
  admin: Db;
  /** For a user, with parameters of the URL. */
  url: (user: string, parameters?: Record<string, string>, of?: { host?: string; database?: string }) => string;
  /** PEM files: the authority that vouches for it, one that does not, and a client's own for the user by_certificate. */
  authority: string;
  stranger: string;
  client: Pair;
  /** From now on it takes no writes, as a server does that follows another. */
  becomeStandby: () => Promise<void>;
  close: () => Promise<void>;
};

export const password = 'a password for tests';

/** With TLS, its certificate bears the name localhost alone. */
export async function startGuardedPostgres(options: { tls: boolean }): Promise<GuardedPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-guarded-'));
  chmodSync(folder, 0o711);
  const authority = createAuthority(folder, 'authority');
  const stranger = createAuthority(folder, 'stranger');
  const server = authority.issue('server', { commonName: 'localhost', names: ['DNS:localhost'] });
  const hba = join(folder, 'pg_hba.conf');
  writeFileSync(
    hba,
    `local all all trust
     host all tripline 127.0.0.1/32 trust
     ${options.tls ? 'hostssl all by_certificate 127.0.0.1/32 cert' : ''}
     ${options.tls ? 'hostssl all tls_only 127.0.0.1/32 scram-sha-256' : ''}
     host all by_password 127.0.0.1/32 scram-sha-256\n`,
  );
  chmodSync(hba, 0o644);
  const dataDir = join(folder, 'postgres');
  const made = await startEmbedded({ dataDir, settings: { fsync: 'off' } });
  await made.stop();
  // Started by root, Postgres runs as nobody, and wants its key for itself.
  const { uid, gid } = statSync(join(dataDir, 'cluster'));
  const key = join(folder, 'postgres.key');
  copyFileSync(server.key, key);
  chownSync(key, uid, gid);
  const [port] = (await freePorts(1)) as [number];
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: dataDir,
    hba_file: hba,
    fsync: 'off',
    io_method: 'sync',
    ...(options.tls
      ? { ssl: 'on', ssl_cert_file: server.certificate, ssl_key_file: key, ssl_ca_file: authority.certificate }
      : {}),
  };
  const user = process.getuid?.() === 0 ? { uid, gid } : null;
  const run = findProgram({ dataDir, linksDir: join(dataDir, 'lib'), user });
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const admin = openDatabase(`postgres://tripline@127.0.0.1:${port}/postgres`, { applicationName: 'test' });

  async function start(ask: () => Promise<unknown>): Promise<() => Promise<void>> {
    const postgres = run('postgres', ['-D', join(dataDir, 'cluster'), ...args], ['ignore', 'ignore', 'pipe']);
    const said = text(postgres.stderr!);
    const ended = once(postgres, 'exit');
    for (let isUp = false; !isUp; await pause(20)) {
      if (postgres.exitCode !== null) throw new Error(`Postgres ended with ${postgres.exitCode}: ${await said}`);
      isUp = await ask().then(
        () => true,
        () => false,
      );
    }
    return async () => {
      if (postgres.exitCode === null) postgres.kill('SIGINT');
      await ended;
    };
  }
  let stop = async () => {};
  async function close(): Promise<void> {
    await admin.close();
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
  try {
    stop = await start(() => admin.pool.query('SELECT 1'));
    for (const name of ['by_password', 'tls_only', 'by_certificate']) {
      await admin.pool.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    port,
    admin,
    url(name, parameters = {}, { host = 'localhost', database = 'postgres' } = {}) {
      const known = name === 'by_certificate' ? name : `${name}:${encodeURIComponent(password)}`;
      return `postgres://${known}@${host}:${port}/${database}?${new URLSearchParams(parameters)}`;
    },
    authority: authority.certificate,
    stranger: stranger.certificate,
    client: authority.issue('client', { commonName: 'by_certificate' }),
    async becomeStandby() {
      await stop();
      writeFileSync(join(dataDir, 'cluster', 'standby.signal'), '');
      const ask = async () => {
        const client = new pg.Client({ host: '127.0.0.1', port, user: 'tripline', database: 'postgres', ssl: false });
        client.on('error', () => {});
        await client.connect();
        await client.end();
      };
      stop = await start(ask);
    },
    close,
  };
}
