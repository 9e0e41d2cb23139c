import { accessSync, constants, lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, join, parse, resolve, sep } from 'node:path';

/**
 * Why the file at `path` is not trusted, as a sentence that says what to do; null when it is trusted: it and every
 * folder and link on the way to it belong to root or to the running user, and nobody else can write or replace them. A
 * mounted ConfigMap (links into a world-writable folder on a read-only file system) is trusted.
 * @throws the file system's own error, when there is no such path.
 */
export function faultOfOwnership(path: string): string | null {
  if (process.getuid === undefined) return null;
  let links = 0;
  let rest = resolve(path)
    .slice(parse(resolve(path)).root.length)
    .split(sep)
    .filter(Boolean);
  let here = parse(resolve(path)).root;
  for (;;) {
    const fault = faultOfOne(here, rest.length > 0);
    if (fault !== null) return fault;
    const next = rest.shift();
    if (next === undefined) return null;
    const there = next === '..' ? dirname(here) : join(here, next);
    const stats = lstatSync(there);
    if (!stats.isSymbolicLink()) {
      here = there;
      continue;
    }
    // The owner of a link decides where it leads; its mode is meaningless.
    if (!isTrusted(stats.uid)) return belongsToAnother(there, stats);
    links += 1;
    if (links > 40) return `${path} leads in a circle`;
    const target = readlinkSync(there);
    if (isAbsolute(target)) here = parse(target).root;
    rest = [...target.split(sep).filter((part) => part !== '' && part !== '.'), ...rest];
  }
}

function faultOfOne(path: string, isFolder: boolean): string | null {
  const stats = lstatSync(path);
  if (!isTrusted(stats.uid)) return belongsToAnother(path, stats);
  const others = (stats.mode & 0o002) !== 0;
  const group = (stats.mode & 0o020) !== 0 && !isPrivateGroup(stats.gid, stats.uid);
  if (!others && !group) return null;
  // In a folder with the sticky bit (/tmp) nobody can replace what is another's.
  if (isFolder && ((stats.mode & 0o1000) !== 0 || isReadOnly(path))) return null;
  const who = others ? 'everybody' : `all of group ${stats.gid}`;
  return `${path} can be written by ${who}: chmod ${others ? 'go-w' : 'g-w'} it`;
}

function belongsToAnother(path: string, { uid }: Stats): string {
  return `${path} belongs to another user (id ${uid}): only files of yours (id ${process.getuid!()}) or of root are trusted`;
}

const isTrusted = (uid: number) => uid === 0 || uid === process.geteuid!();

/** Whether it is on a read-only mount, so that modes do not matter. */
function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}

/** Many systems give each user a private group with write access: such a group has no other members. */
function isPrivateGroup(gid: number, uid: number): boolean {
  try {
    const fields = (file: string) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.split(':'));
    const users = fields('/etc/passwd').filter(([name]) => name);
    const groups = fields('/etc/group').filter(([, , id]) => id === String(gid));
    const owner = users.find(([, , id]) => id === String(uid))?.[0];
    const primary = users.filter(([, , , group]) => group === String(gid)).map(([name]) => name);
    const members = [...primary, ...groups.flatMap(([, , , names]) => names?.split(',').filter(Boolean) ?? [])];
    return groups.length > 0 && owner !== undefined && members.every((name) => name === owner);
  } catch {
    return false;
  }
}
