import { Kysely, PostgresDialect } from 'kysely';
import pg, { type ClientBase } from 'pg';
import { type ConnectionConfig, connectionOf } from './connection.ts';
import { DatabaseUnfitError } from './database-fault.ts';
import { isPooledByTransaction, prepareSession, type SessionOptions } from './session.ts';
import type { AccessTables } from './tables/access.ts';
import type { DetectorTables } from './tables/detector.ts';
import type { FeedWatchTables } from './tables/feed-watch.ts';
import type { FindingsTables } from './tables/findings.ts';
import type { JobsTables } from './tables/jobs.ts';
import type { LogTables } from './tables/log.ts';
import type { MessagesTables } from './tables/messages.ts';
import type { OutboxTables } from './tables/outbox.ts';
import type { PollsTables } from './tables/polls.ts';
import type { QueueTables } from './tables/queue.ts';
import type { RedeliveryTables } from './tables/redelivery.ts';
import type { RemediationsTables } from './tables/remediations.ts';
import type { StandingTables } from './tables/standing.ts';
import type { TrailTables } from './tables/trail.ts';

export type Tables = LogTables &
  AccessTables &
  JobsTables &
  FindingsTables &
  DetectorTables &
  MessagesTables &
  RemediationsTables &
  RedeliveryTables &
  OutboxTables &
  PollsTables &
  FeedWatchTables &
  QueueTables &
  StandingTables &
  TrailTables;

/** One pool of connections, twice: `pool` for hot paths and transactions of our own, `query` (kysely) for the rest. */
export type Db = {
  pool: pg.Pool;
  query: Kysely<Tables>;
  close: () => Promise<void>;
};

/**
 * Opens a pool. Nothing is connected before the first query. `bigint` columns come as numbers, since ours stay below
 * 2^53. `lowLatency`: for services that act on findings. These are rare, so optimisations that only pay after the fifth
 * execution never do: statements are planned once per connection, and four connections stay open while idle.
 */
export function openDatabase(
  url: string,
  options: { applicationName: string; maxConnections?: number; lowLatency?: boolean },
): Db {
  const { namesSearchPath, ...connection } = connectionOf(url);
  const settings = { plan_cache_mode: options.lowLatency ? 'force_generic_plan' : 'auto' };
  const pool = new pg.Pool({
    ...connection,
    application_name: options.applicationName,
    max: options.maxConnections ?? 10,
    ...(options.lowLatency ? { min: 4 } : {}),
    onConnect: onConnect(connection, { namesSearchPath, settings }),
    // Statements that a transaction sends without waiting for one another share a round trip.
    pipeline: true,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === pg.types.builtins.INT8
          ? Number
          : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
    },
  });
  // A connection that dies while idle must not end the process; the next query reports the fault.
  pool.on('error', () => {});
  // Nor one that dies while it is checked out and nobody queries on it.
  pool.on('connect', (client) => client.on('error', () => {}));
  const query = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const close = async () => {
    // Kysely ends the pool only when it was itself used.
    await query.destroy();
    if (!pool.ended) await pool.end();
  };
  return { pool, query, close };
}

/** How long a pooler may take to open a second connection. */
const patienceMs = 5000;

/** Prepares each new connection; the first connection that comes through a pooler has its pool mode checked. */
function onConnect(connection: pg.ClientConfig & Pick<ConnectionConfig, 'Client'>, options: SessionOptions) {
  let isAsked = false;
  return async (client: ClientBase): Promise<void> => {
    const { pid } = await prepareSession(client, options);
    // A server reports its backend's pid at connection; a pooler reports a number of its own.
    const { processID } = client as { processID?: number | null };
    if (isAsked || processID === pid) return;
    isAsked = true;
    if (
      !(await isPooledByTransaction(
        client,
        pid,
        () => new connection.Client({ ...connection, connectionTimeoutMillis: patienceMs, query_timeout: patienceMs }),
      ))
    )
      return;
    isAsked = false;
    throw new DatabaseUnfitError(
      'DATABASE_URL leads to a pooler in transaction mode (PgBouncer: pool_mode = transaction), ' +
        'which supports neither the session locks nor LISTEN that Tripline needs: set pool_mode = session for this ' +
        'database, or connect to Postgres directly',
    );
  };
}
