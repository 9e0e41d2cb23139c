import { unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join, relative } from 'node:path';

/** Another process uses the folder. */
export class FolderInUseError extends Error {
  readonly code = 'FOLDER_IN_USE';
}

/**
 * Locks a folder for this process by a listening socket `lock` within it. The kernel releases it however the process
 * ends, which a file with a process id does not (in a container every process is number 1).
 * @throws {FolderInUseError} a living process holds it.
 */
export async function lockFolder(dir: string): Promise<() => Promise<void>> {
  const path = socketPath(dir);
  try {
    return await listen(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  }
  if (await answers(path)) {
    throw new FolderInUseError(`${dir} is used by another receiver; give each its own data folder (TRIPLINE_DATA)`);
  }
  await unlink(path);
  return listen(path);
}

/** A socket's path may have 103 bytes on every system; from the working directory it may be shorter. */
function socketPath(dir: string): string {
  const absolute = join(dir, 'lock');
  const path = absolute.length <= 103 ? absolute : relative(process.cwd(), absolute);
  if (Buffer.byteLength(path) > 103) throw new Error(`${dir} is too long a path; set TRIPLINE_DATA to a shorter one`);
  return path;
}

function listen(path: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.unref();
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
