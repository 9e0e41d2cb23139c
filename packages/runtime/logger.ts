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
  return destination ? pino(settings, destination) : pino(settings);
}
