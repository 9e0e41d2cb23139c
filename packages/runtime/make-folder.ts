import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it that are missing, the missing ones with `mode`; one that is there stays as it is.
 * Node's own way (`recursive`) goes round and round without end where a parent is there and yet nothing can be made in it,
 * as under /proc.
 * @throws the file system's own error.
 */
export function makeFolder(path: string, mode = 0o777): void {
  const folder = resolve(path);
  try {
    mkdirSync(folder, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(folder);
    if (code === 'EEXIST' || code === 'EISDIR' || code === 'EROFS') {
      if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
      throw error;
    }
    // A parent that is there is not what is missing.
    if (code !== 'ENOENT' || statSync(parent, { throwIfNoEntry: false }) !== undefined) throw error;
    makeFolder(parent, mode);
    mkdirSync(folder, mode);
  }
}
