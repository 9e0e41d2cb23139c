import { describeDatabaseFault } from '@tripline/db/database-fault';

/** Codes of our own errors whose message tells the user what to fix. */
const forUsers: ReadonlySet<string> = new Set([
  'USER',
  'CONFIG',
  'INCIDENT',
  'MIGRATION',
  'PORT_IN_USE',
  'DATA_FOLDER_IN_USE',
  'FOLDER_IN_USE',
  'EMBEDDED_POSTGRES',
  'STREAM_UNAVAILABLE',
  'STREAM_UNFIT',
]);

/** One sentence for an error that the user can fix, or null for a bug. */
export function sentenceFor(error: unknown): string | null {
  const { code, message, path, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code !== undefined && forUsers.has(code)) return message;
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is in use; stop what uses it, or set TRIPLINE_PORT to another`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `${path ?? 'a file'} cannot be written, since its disk is full (${code}); free some space, or set TRIPLINE_DATA to a folder on another`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${message}; let this user read and write there, or set TRIPLINE_DATA to another folder`;
    default:
      return describeDatabaseFault(error);
  }
}
