import { type DestinationStream, type LogFn, type Logger as PinoLogger, pino } from 'pino';
import { createRepeats } from './repeats.ts';

export type Logger = PinoLogger;

/** From this level on, lines that say the same again are written once a minute. */
const warnLevel = 40;

/**
 * A JSON logger for one service. A warning or an error that says the very same again is written once a minute, with how often
 * it was `repeated` meanwhile. Callers keep secrets out; the redaction here is a second line of defence: fields whose names
 * suggest a secret are blanked up to three levels deep.
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
  const repeats = createRepeats(() => performance.now());
  const hooks = {
    logMethod(this: PinoLogger, args: Parameters<LogFn>, method: LogFn, level: number) {
      if (level < warnLevel) return method.apply(this, args);
      const { isDue, repeated } = repeats(`${level} ${JSON.stringify(this.bindings())} ${textOf(args)}`);
      if (!isDue) return;
      if (repeated === 0) return method.apply(this, args);
      const [first, ...rest] = args as unknown as [unknown, ...unknown[]];
      const more = first instanceof Error ? { err: first, repeated } : { ...(first as object), repeated };
      const counted = typeof first === 'string' ? [{ repeated }, first, ...rest] : [more, ...rest];
      return method.apply(this, counted as unknown as Parameters<LogFn>);
    },
  };
  const logger = destination ? pino({ ...settings, hooks }, destination) : pino({ ...settings, hooks });
  made.add(new WeakRef(logger));
  return logger;
}

/** What a line says: all of it, but for the place in the code that failed. */
function textOf(args: readonly unknown[]): string {
  try {
    return JSON.stringify(args, (_, value) => (value instanceof Error ? value.message : value)) ?? '';
  } catch {
    // Nothing that can be compared, such as a circle: no line is like another.
    return `${performance.now()}`;
  }
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
