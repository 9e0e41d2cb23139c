import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { checkServerIdentity, getCACertificates, type SecureContextOptions } from 'node:tls';
import pg from 'pg';
import { DatabaseUnfitError } from './database-fault.ts';

/** What a connection needs to be opened: pg's own settings, without what it would read differently from libpq. */
export type ConnectionConfig = Omit<pg.ClientConfig, 'ssl'> & {
  ssl:
    | false
    | (SecureContextOptions & { rejectUnauthorized: boolean; checkServerIdentity?: typeof checkServerIdentity });
  Client: typeof pg.Client;
  /** Whether the URL names a search_path of its own among its `options`. */
  namesSearchPath: boolean;
};

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type Mode = (typeof modes)[number];

/** Parameters of the URL that are read here; pg would take `require` for `verify-full`, and knows no `prefer`. */
const tlsParameters = ['sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'sslcrl', 'uselibpqcompat'];

/**
 * Parses a database URL as libpq does, above all for TLS: `prefer` is the default over TCP, `require` does not verify
 * the server's certificate unless a CA is named, `verify-ca` verifies its CA, `verify-full` its name too.
 * https://www.postgresql.org/docs/current/libpq-ssl.html
 * @throws {DatabaseUnfitError} naming the parameter that is wrong; never a secret.
 */
export function connectionOf(url: string): ConnectionConfig {
  const [, base, query] = /^([^?]*)\??(.*)$/s.exec(url) as unknown as [string, string, string];
  const read = new URLSearchParams(query);
  const host = hostOf(url, read);
  const mode = modeOf(read, host);
  const kept = new URLSearchParams([...read].filter(([name]) => !tlsParameters.includes(name)));
  const connectionString = `${base}${kept.size > 0 ? `?${kept}` : ''}`;
  return {
    connectionString,
    ssl: mode === 'disable' ? false : tlsOf(mode, host, read),
    Client: mode === 'prefer' || mode === 'allow' ? PreferringClient : pg.Client,
    namesSearchPath: /search_path/i.test(read.get('options') ?? ''),
  };
}

/** The host that is connected to; one with a slash is the folder of a Unix socket. */
function hostOf(url: string, read: URLSearchParams): string {
  const named = read.get('host');
  if (named) return named;
  const { hostname } = URL.parse(url) ?? { hostname: '' };
  return decodeURIComponent(hostname).replace(/^\[(.+)\]$/, '$1') || process.env['PGHOST'] || 'localhost';
}

function modeOf(read: URLSearchParams, host: string): Mode {
  if (host.startsWith('/')) return 'disable';
  const named = read.get('sslmode') ?? (/^(true|1)$/.test(read.get('ssl') ?? '') ? 'require' : 'prefer');
  const mode = modes.find((one) => one === named);
  if (mode === undefined)
    throw new DatabaseUnfitError(`DATABASE_URL has a wrong sslmode; use one of ${modes.join(', ')}`);
  // As libpq has it: where a CA is named, `require` asks for it.
  return mode === 'require' && read.has('sslrootcert') ? 'verify-ca' : mode;
}

function tlsOf(mode: Mode, host: string, read: URLSearchParams) {
  const file = (name: string) => {
    const path = read.get(name);
    return path ? readPem(name, path) : undefined;
  };
  const verifies = mode === 'verify-ca' || mode === 'verify-full';
  const ca = verifies ? authorities(read.get('sslrootcert')) : undefined;
  const passphrase = read.get('sslpassword');
  return {
    ...given({ ca, cert: file('sslcert'), key: file('sslkey'), crl: file('sslcrl') }),
    ...(passphrase ? { passphrase } : {}),
    rejectUnauthorized: verifies,
    // pg does not say which host it means when that is an address.
    checkServerIdentity: ((_, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined) as typeof checkServerIdentity,
  };
}

/** `system`: what this machine trusts. Absent: libpq's own place, or else what Node trusts. */
function authorities(path: string | null): string | string[] | undefined {
  if (path === 'system') return getCACertificates('system');
  if (path) return readPem('sslrootcert', path);
  try {
    return readFileSync(join(homedir(), '.postgresql', 'root.crt'), 'utf8');
  } catch {
    return undefined;
  }
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DatabaseUnfitError(`the file ${path} that DATABASE_URL names as ${name} cannot be read (${code})`);
  }
}

function given<T extends object>(of: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as never;
}

/** Members of pg 8.23.1's connection that its types lack. */
type Negotiating = pg.Connection & {
  ssl: unknown;
  _ending: boolean;
  attachListeners(stream: unknown): void;
  upgradeToSSL(host: string, onError: (error: Error) => void): void;
  connect(port: number, host: string): void;
};
const Connection = pg.Connection as unknown as new (config: object) => Negotiating;

/** Uses TLS where the server offers it, and plain text otherwise (`sslmode=prefer`). pg itself would fail there. */
class PreferringConnection extends Connection {
  #isAsking = false;

  override connect(port: number, host: string): void {
    const tls = this.ssl;
    this.#isAsking = true;
    // Without `ssl`, pg leaves the server's answer to us.
    this.ssl = false;
    super.connect(port, host);
    this.stream.once('data', (answer: Buffer) => {
      this.#isAsking = false;
      this.ssl = tls;
      const said = answer.toString('latin1');
      if (said === 'S') return this.upgradeToSSL(host, (error) => void (this._ending || this.emit('error', error)));
      if (said !== 'N') return this.stream.destroy(new Error('what answers there is no PostgreSQL server'));
      this.attachListeners(this.stream);
      this.emit('sslconnect');
    });
  }

  override attachListeners(stream: unknown): void {
    if (!this.#isAsking) super.attachListeners(stream);
  }
}

class PreferringClient extends pg.Client {
  constructor(config: pg.ClientConfig) {
    super({
      ...config,
      connection: new PreferringConnection({ ssl: config.ssl, keepAlive: config.keepAlive }),
    } as never);
  }
}
