import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

/**
 * A JSON logger for one service. Callers keep secrets out; the redaction here is a second line of defence: fields whose
 * names suggest a secret are blanked up to three levels deep.
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

/** The loggers of this process that are still in use. */
const made = new Set<WeakRef<Logger>>();

/** Sets the level of every logger of this process. */
export function setLogLevel(level: string): void {
  for (const reference of made) {
    const logger = reference.deref();
    if (logger) logger.level = level;
    else made.delete(reference);
  }
}
