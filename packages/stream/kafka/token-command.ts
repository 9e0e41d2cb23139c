import { execFile } from 'node:child_process';
import { StreamUnavailableError } from '../stream.ts';
import type { Token } from './token.ts';

const timeoutMs = 10_000;
const maxOutputBytes = 64 * 1024;
/**
 * What RFC 6750 allows in a bearer token, and nothing else: Kafka's message format uses other characters as separators.
 */
const bearer = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * Runs a program that writes a bearer token to its standard output, without a shell. Its output is kept out of errors,
 * since it may be the token.
 * @throws {StreamUnavailableError} when it fails, takes too long, or writes no token.
 */
export function runTokenCommand(command: readonly string[]): Promise<Token> {
  const [program, ...args] = command as [string, ...string[]];
  const fault = (what: string) => new StreamUnavailableError(`kafka.sasl.tokenCommand (${program}) ${what}`);
  return new Promise((resolve, reject) => {
    const limits = { timeout: timeoutMs, maxBuffer: maxOutputBytes, killSignal: 'SIGKILL', encoding: 'utf8' } as const;
    const child = execFile(program, args, { ...limits, env: ownEnvironment() }, (error, output) => {
      if (error) return reject(fault(whyOf(error)));
      const value = output.trim();
      if (!bearer.test(value)) return reject(fault('wrote no bearer token to its standard output'));
      resolve({ value, endsAtMs: endOf(value) });
    });
    child.stdin?.end();
  });
}

/** This process's environment without Tripline's secrets. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string) => name.startsWith('TRIPLINE_') || name.startsWith('DATABASE_URL');
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)));
}

function whyOf(error: Error & { code?: number | string | null; killed?: boolean; signal?: string | null }): string {
  if (error.code === 'ENOENT') return 'is no program that can be found';
  if (error.code === 'EACCES') return 'may not be run';
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `wrote more than ${maxOutputBytes} bytes`;
  if (error.killed) return `gave no token within ${timeoutMs / 1000} s`;
  return error.signal ? `was ended by ${error.signal}` : `ended with ${error.code}`;
}

/** `exp` of a JSON Web Token (RFC 7519); null where the token is no JWT or has no `exp`. */
function endOf(token: string): number | null {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8')) as { exp?: unknown };
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : null;
  } catch {
    return null;
  }
}
