import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { destination } from 'pino';
import { createLogger, type Logger } from './logger.ts';
import { plain } from './plain.ts';
import { createRepeats } from './repeats.ts';

const rotateBytes = 16 * 1024 * 1024;
const warnLevel = 40;
/** Bytes that may wait for the disk; lines beyond are dropped. */
const waitingBytes = 1024 * 1024;

/** `time`: Unix time in ms. */
type Line = { level: number; time: number; msg?: string; err?: { message?: string } };

/**
 * A logger for an interactive process: JSON lines to `tripline.log` in the data folder, and warnings and errors to the
 * terminal too, as one readable line each. A large file is rotated once. A full disk loses log lines, never the
 * process.
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
  let loggedMs = 0;
  const repeats = createRepeats(() => loggedMs);
  const logger = createLogger(
    { service: options.service, level: options.level },
    {
      write(line: string) {
        file.write(line);
        const { level, time, msg, err } = JSON.parse(line) as Line;
        loggedMs = time;
        if (level < warnLevel) return;
        // Several parts say the same of one cause.
        const text = [msg, err?.message].filter(Boolean).join(': ');
        const { isDue, repeated } = repeats(text);
        if (isDue) options.warn(plain(repeated === 0 ? text : `${text} (${repeated} times more within a minute)`));
      },
    },
  );
  const close = () =>
    new Promise<void>((resolve) => {
      file.once('close', resolve);
      // Lines that cannot be written now are dropped.
      file.once('error', () => resolve());
      file.end();
    });
  return { logger, close };
}
