import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { destination } from 'pino';
import { createLogger, type Logger } from './logger.ts';
import { plain } from './plain.ts';

const rotateBytes = 16 * 1024 * 1024;
const warnLevel = 40;
/** So much may wait for the disk; what exceeds it is dropped. */
const waitingBytes = 1024 * 1024;

/**
 * A logger for a process that somebody watches: JSON lines to `tripline.log` in the data folder, and to the terminal only what somebody
 * should see, a warning or worse, as one readable line. The former file is kept when it has grown large. A disk that takes
 * no more costs lines of the log, never the process.
 */
export function openLogFile(options: {
  service: string;
  dataDir: string;
  level: string;
  warn: (text: string) => void;
}): {
  logger: Logger;
  close: () => Promise<void>;
} {
  const path = join(options.dataDir, 'tripline.log');
  try {
    if (statSync(path).size > rotateBytes) renameSync(path, `${path}.1`);
  } catch {
    // There is none yet.
  }
  const file = destination({ dest: path, mode: 0o600, sync: false, maxLength: waitingBytes });
  let isWritable = true;
  file.on('error', (error: NodeJS.ErrnoException) => {
    if (isWritable)
      options.warn(`the log file ${path} cannot be written (${error.code}): what is logged meanwhile is lost`);
    isWritable = false;
  });
  file.on('drain', () => {
    isWritable = true;
  });
  const logger = createLogger(
    { service: options.service, level: options.level },
    {
      write(line: string) {
        file.write(line);
        const { level, msg, err } = JSON.parse(line) as { level: number; msg?: string; err?: { message?: string } };
        if (level >= warnLevel) options.warn(plain([msg, err?.message].filter(Boolean).join(': ')));
      },
    },
  );
  const close = () =>
    new Promise<void>((resolve) => {
      file.once('close', resolve);
      // What cannot be written now never will be.
      file.once('error', () => resolve());
      file.end();
    });
  return { logger, close };
}
