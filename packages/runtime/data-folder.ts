import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from './make-folder.ts';
import { processBegan } from './processes.ts';

/**
 * The process that runs in a data folder, and where it listens. The command line reads this to find a running Tripline.
 */
export type Standalone = {
  pid: number;
  /** When the process began, in the system's own format: a pid that is reused after a reboot is another process. */
  processBegan: string;
  /** Null while it starts. */
  listening: { url: string; operationsUrl: string } | null;
};

/** Another running Tripline uses the folder, or it is unusable. */
export class DataFolderInUseError extends Error {
  readonly code = 'DATA_FOLDER_IN_USE';
}

const standaloneFile = (dataDir: string) => join(dataDir, 'standalone.json');
/** Names of the files of secrets that are generated on the first start. */
type MadeSecret = 'webhook-secret' | 'drill-key' | 'broker-event-key' | 'broker-sealing-key' | 'internal-key';

/**
 * Claims the folder for this process, creating it (0700) where it is missing. The claim of a killed Tripline is taken
 * over.
 * @throws {DataFolderInUseError} naming the process that uses it, or why it is unusable.
 */
export function claimDataFolder(dataDir: string): {
  announce: (at: NonNullable<Standalone['listening']>) => void;
  release: () => void;
} {
  try {
    makeFolder(dataDir, 0o700);
    chmodSync(dataDir, 0o700);
  } catch (error) {
    throw new DataFolderInUseError(
      `${dataDir} cannot be the data folder (${(error as Error).message}); set TRIPLINE_DATA to another`,
    );
  }
  const file = standaloneFile(dataDir);
  const mine: Standalone = { pid: process.pid, processBegan: processBegan(process.pid) ?? '', listening: null };
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, JSON.stringify(mine), { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 2) throw error;
      const running = findStandalone(dataDir);
      if (running) {
        throw new DataFolderInUseError(
          `another Tripline (process ${running.pid}) is using ${dataDir}; stop it, or set TRIPLINE_DATA to another folder`,
        );
      }
      rmSync(file, { force: true });
    }
  }
  return {
    announce(listening) {
      // Renamed into place: a reader sees the old file or the new one, never half of it.
      writeFileSync(`${file}.new`, `${JSON.stringify({ ...mine, listening }, null, 2)}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    },
    release: () => rmSync(file, { force: true }),
  };
}

/** The running Tripline of a data folder, or null: there is none, or it was killed. */
export function findStandalone(dataDir: string): Standalone | null {
  let written: Standalone;
  try {
    written = JSON.parse(readFileSync(standaloneFile(dataDir), 'utf8'));
  } catch {
    return null;
  }
  return Number.isInteger(written.pid) && processBegan(written.pid) === written.processBegan ? written : null;
}

/** A secret of the folder, generated (256 bits, mode 0600) when there is none yet. */
export function keepSecret(dataDir: string, name: MadeSecret): string {
  const there = readSecret(dataDir, name);
  if (there) return there;
  const secret = randomBytes(32).toString('hex');
  writeFileSync(join(dataDir, name), `${secret}\n`, { mode: 0o600 });
  return secret;
}

/** A secret of the folder, or null when none was generated. */
export function readSecret(dataDir: string, name: MadeSecret): string | null {
  try {
    return readFileSync(join(dataDir, name), 'utf8').trim() || null;
  } catch {
    return null;
  }
}

/** What is wrong with the folder's permissions, or null. */
export function folderFault(dataDir: string): string | null {
  const folder = statSync(dataDir);
  if ((folder.mode & 0o077) !== 0) return `${dataDir} can be entered by others; chmod 700 it`;
  return null;
}
