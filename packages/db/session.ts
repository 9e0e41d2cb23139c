import pg, { type ClientBase } from 'pg';
import { DatabaseUnfitError } from './database-fault.ts';

/**
 * Settings that our code relies on, whatever `ALTER DATABASE` or `ALTER ROLE … SET` say: set at the beginning of each
 * session, by statements rather than startup parameters, of which PgBouncer accepts few. Settings that a server does
 * not know are left out.
 */
const needed: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  transaction_timeout: '0',
  idle_session_timeout: '0',
  /**
   * A process that stops within a transaction (a paused machine, a lost network) holds locks that its successor needs;
   * Postgres ends the transaction after this time, before Kafka's group has the successor take over.
   */
  idle_in_transaction_session_timeout: '5s',
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  array_nulls: 'on',
  transform_null_equals: 'off',
  xmloption: 'content',
  exit_on_error: 'off',
  row_security: 'on',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
};

/** Schema of Tripline's tables, unless the URL's `options` name another search_path. */
const searchPath = 'public';

const oldestVersion = 150_000;

export type SessionOptions = {
  namesSearchPath: boolean;
  /** Settings over ours, by name. */
  settings?: Readonly<Record<string, string>>;
};

type Facts = { pid: number; encoding: string; standby: boolean; version: number; release: string };

/**
 * Applies the session settings and checks the server; to be called before anything else is sent on a connection.
 * @throws {DatabaseUnfitError} when the database cannot be used, or a setting cannot be applied.
 */
export async function prepareSession(client: ClientBase, options: SessionOptions): Promise<Facts> {
  const settings = { ...needed, ...(options.namesSearchPath ? {} : { search_path: searchPath }), ...options.settings };
  const rows = Object.entries(settings).map(
    ([name, value]) => `(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)})`,
  );
  const results = (await client.query(
    `SELECT pg_catalog.set_config(s.name, s.value, false) FROM (VALUES ${rows.join(', ')}) AS s (name, value)
     WHERE pg_catalog.current_setting(s.name, true) IS NOT NULL;
     SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
     WHERE ${options.settings?.['synchronous_commit'] === undefined} AND pg_catalog.current_setting('synchronous_commit') = 'off';
     SELECT pg_catalog.pg_backend_pid() AS pid, pg_catalog.current_setting('server_encoding') AS encoding,
            pg_catalog.pg_is_in_recovery() AS standby, pg_catalog.current_setting('server_version_num')::int AS version,
            pg_catalog.current_setting('server_version') AS release`,
  )) as unknown as pg.QueryResult<Facts>[];
  const facts = results.at(-1)!.rows[0]!;
  refuseUnfit(facts);
  return facts;
}

function refuseUnfit({ encoding, standby, version, release }: Facts): void {
  if (version < oldestVersion) {
    throw new DatabaseUnfitError(`the database of DATABASE_URL is PostgreSQL ${release}; use PostgreSQL 15 or newer`);
  }
  if (encoding !== 'UTF8') {
    throw new DatabaseUnfitError(
      `the database of DATABASE_URL is encoded as ${encoding}, which cannot hold every name that is received: make one with ` +
        "`CREATE DATABASE tripline ENCODING 'UTF8' TEMPLATE template0`, and name it in DATABASE_URL",
    );
  }
  if (standby) {
    throw new DatabaseUnfitError(
      'the server of DATABASE_URL is a standby and takes no writes: use the address of the primary',
    );
  }
}

/**
 * Whether a pooler is in transaction (or statement) mode: then neither session locks nor LISTEN work. `kept` is an idle
 * connection, and `pid` the backend that served it last: in session mode, that backend serves no other connection.
 */
export async function isPooledByTransaction(kept: ClientBase, pid: number, open: () => pg.Client) {
  const other = open();
  other.on('error', () => {});
  try {
    await other.connect();
    const ask = async (client: ClientBase) =>
      (await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')).rows[0]!.pid;
    await other.query('BEGIN');
    const otherPid = await ask(other);
    const isShared = otherPid === pid || (await ask(kept)) !== pid;
    await other.query('COMMIT');
    return isShared;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // In statement mode there are no transactions either.
    if (code === '08P01' && /statement pooling/.test(message)) return true;
    if (!/timeout/i.test(message)) throw error;
    throw new DatabaseUnfitError(
      'DATABASE_URL leads to a pooler with too few connections: raise its pool size (PgBouncer: ' +
        `default_pool_size) to what Tripline opens, some ten a service, forty for \`tripline up\``,
    );
  } finally {
    await other.end().catch(() => {});
  }
}
