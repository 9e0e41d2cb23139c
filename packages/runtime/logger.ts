import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

/**
 * A JSON logger for one service. Secrets are kept out at the places that know them; the redaction here is the second
 * line: fields that would name one are blanked wherever they stand up to three levels deep.
 */
export function createLogger(options: { service: string; level: string }, destination?: DestinationStream): Logger {
  const names = [
    'authorization',
    'password',
    'secret',
    'token',
    'privateKey',
    'signature',
    'cookie',
    'connectionString',
  ];
  const paths = names.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const settings = { level: options.level, base: { service: options.service }, redact: { paths, censor: '[secret]' } };
  const logger = destination ? pino(settings, destination) : pino(settings);
  made.add(new WeakRef(logger));
  return logger;
}

/** The loggers of this process, for as long as anybody has them. */
const made = new Set<WeakRef<Logger>>();

/** Has every logger of this process log so much from now on. */
export function setLogLevel(level: string): void {
  for (const reference of made) {
    const logger = reference.deref();
    if (logger) logger.level = level;
    else made.delete(reference);
  }
}
