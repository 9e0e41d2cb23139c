import pg, { type ClientBase } from 'pg';
import { DatabaseUnfitError } from './database-fault.ts';

/**
 * What our code leans on, whatever `ALTER DATABASE` or `ALTER ROLE … SET` say: a session is told so at its beginning.
 * By statements, not by startup parameters, since PgBouncer takes few of these. Those that a server does not know are
 * left out.
 */
const needed: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  transaction_timeout: '0',
  idle_session_timeout: '0',
  /**
   * A process that stands still within a transaction (a machine that is paused, a network that is gone) holds what its
   * successor needs; Postgres ends that after so long, before Kafka's group would have the successor take over.
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

/** Where Tripline's tables lie, unless the URL's `options` name another search_path. */
const searchPath = 'public';

const oldestVersion = 150_000;

export type SessionOptions = {
  namesSearchPath: boolean;
  /** Settings over ours, by name. */
  settings?: Readonly<Record<string, string>>;
};

type Facts = { pid: number; encoding: string; standby: boolean; version: number; release: string };

/**
 * Makes a new connection fit for us; to be called before anything else is sent on it.
 * @throws {DatabaseUnfitError} when the database cannot be used: what cannot be set is refused.
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
      'the server of DATABASE_URL is a standby and takes no writes: name the primary, or the address that follows it',
    );
  }
}

/**
 * Whether a pooler gives out its connections by the transaction (or the statement): then nothing of a session lasts,
 * neither locks nor LISTEN. `kept` is a connection that is idle, and `pid` the backend that served it last. While it is
 * kept, a true session's backend serves nobody else.
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
    // By the statement, not even a transaction lasts.
    if (code === '08P01' && /statement pooling/.test(message)) return true;
    if (!/timeout/i.test(message)) throw error;
    throw new DatabaseUnfitError(
      'DATABASE_URL leads to a pooler that gives out too few connections at once: raise its pool (PgBouncer: ' +
        `default_pool_size) to what Tripline opens, some ten a service, forty for \`tripline up\``,
    );
  } finally {
    await other.end().catch(() => {});
  }
}
