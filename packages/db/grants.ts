import type { Db } from './database.ts';
import { inTransaction } from './transaction.ts';

/** One database role per service, so that whoever compromises a service has that service's rights only. */
export const serviceRoles = [
  'receiver',
  'reconciler',
  'recorder',
  'detector',
  'notifier',
  'remediator',
  'broker',
  'cli',
] as const;
export type ServiceRole = (typeof serviceRoles)[number];

/** Name of a service's role in Postgres. */
export const roleName = (service: ServiceRole): string => `tripline_${service}`;

/**
 * r: SELECT, a: INSERT, w: UPDATE, d: DELETE, as Postgres itself abbreviates them; l: lock a row of the log's partitions;
 * i: know which events the trail has; s: know what somebody is asked for, without the number that they type.
 */
type Rights = Partial<Record<ServiceRole, string>>;

/**
 * The rights of each role on each table: the least that its work needs. A test finds tables that are not named here,
 * and the services' own tests, which run under their roles, find missing rights.
 *
 * Only the recorder writes the trail, and may only add to it; the head of a chain moves, so it may update that. The cli
 * reads everything, and writes what people do.
 */
const ofTables: Readonly<Record<string, Rights>> = {
  // Each reports on its operations port whether the schema is complete.
  schema_migrations: {
    reconciler: 'r',
    recorder: 'r',
    detector: 'r',
    notifier: 'r',
    remediator: 'r',
    broker: 'r',
    cli: 'r',
  },
  // The embedded log. `SELECT … FOR UPDATE` takes the right to UPDATE.
  log: { receiver: 'ra', reconciler: 'ra', recorder: 'r', detector: 'rad', broker: 'ra', cli: 'r' },
  log_topics: { receiver: 'ra', reconciler: 'r', recorder: 'r', detector: 'ra', broker: 'r', cli: 'r' },
  log_partitions: { receiver: 'raw', reconciler: 'rw', recorder: 'rl', detector: 'raw', broker: 'rw', cli: 'r' },
  log_consumers: { recorder: 'rawd', detector: 'rawd', broker: 'rawd', cli: 'r' },
  log_leases: { recorder: 'rad', detector: 'rad', broker: 'rad', cli: 'r' },
  trail: { recorder: 'ra', reconciler: 'i', cli: 'r' },
  trail_heads: { recorder: 'raw', cli: 'r' },
  trail_bodies: { recorder: 'ra', cli: 'r' },
  positions: { recorder: 'raw', detector: 'raw', broker: 'raw', cli: 'r' },
  rule_state: { detector: 'rawd', cli: 'r' },
  seen_batches: { detector: 'rad', cli: 'r' },
  state_pages: { detector: 'rad', cli: 'r' },
  state_runs: { detector: 'rawd', cli: 'r' },
  state_segments: { detector: 'rad', cli: 'r' },
  state_stretches: { detector: 'rad', cli: 'r' },
  rule_faults: { detector: 'raw', cli: 'r' },
  rule_sets: { detector: 'ra', cli: 'r' },
  rule_set_uses: { detector: 'ra', cli: 'r' },
  reload_faults: { detector: 'rawd', cli: 'r' },
  timers: { detector: 'rawd', cli: 'r' },
  imports: { detector: 'raw', cli: 'raw' },
  findings: { detector: 'raw', notifier: 'r', remediator: 'r', broker: 'r', cli: 'r' },
  incidents: { detector: 'raw', notifier: 'rw', remediator: 'rw', broker: 'r', cli: 'rw' },
  incident_entities: { detector: 'ra', notifier: 'r', broker: 'r', cli: 'r' },
  incident_events: { detector: 'ra', notifier: 'ra', remediator: 'ra', cli: 'ra' },
  silences: { detector: 'r', notifier: 'r', cli: 'raw' },
  silenced_findings: { detector: 'rawd', notifier: 'r', cli: 'r' },
  told: { notifier: 'rawd', cli: 'r' },
  messages: { notifier: 'ra', cli: 'r' },
  sink_troubles: { notifier: 'rawd', cli: 'r' },
  remediations: { notifier: 'r', remediator: 'raw', cli: 'rw' },
  switches: { notifier: 'r', remediator: 'r', broker: 'r', cli: 'raw' },
  hooks: { reconciler: 'raw', cli: 'r' },
  hook_coverage: { reconciler: 'rawd', cli: 'r' },
  undelivered: { reconciler: 'rawd', cli: 'r' },
  feed_polls: { reconciler: 'raw', cli: 'r' },
  feed_watch: { reconciler: 'raw', cli: 'r' },
  delivery_questions: { reconciler: 'rawd', detector: 'ra', cli: 'r' },
  outbox: { detector: 'rawd', reconciler: 'a', notifier: 'a', remediator: 'a', cli: 'ra' },
  queue: { detector: 'raw', notifier: 'rawd', remediator: 'rawd', broker: 'a', cli: 'raw' },
  known_runs: { detector: 'rawd', broker: 'r', cli: 'r' },
  known_heads: { detector: 'raw', broker: 'r', cli: 'r' },
  access_policy_faults: { broker: 'rawd', cli: 'r' },
  access_policies: { broker: 'ra', detector: 'r', cli: 'r' },
  access_spent: { broker: 'rad', cli: 'r' },
  access_ends: { broker: 'rawd', cli: 'r' },
  access_grants: { broker: 'rawd', remediator: 'rw', cli: 'rw' },
  access_step_ups: { broker: 'rawd', notifier: 's', cli: 'r' },
  access_prompt_messages: { notifier: 'raw', cli: 'r' },
  access_passkeys: { broker: 'rawd', cli: 'r' },
  access_links: { broker: 'rawd', cli: 'r' },
  access_proof_ends: { broker: 'rd', cli: 'ra' },
  access_requests: { broker: 'rd', notifier: 'ra', cli: 'ra' },
  access_request_ends: { broker: 'rd', notifier: 'ra', cli: 'ra' },
  access_extensions: { broker: 'rd', notifier: 'ra', cli: 'ra' },
  access_extension_answers: { broker: 'rawd', cli: 'r' },
  access_rights: { broker: 'rawd', notifier: 'r', cli: 'r' },
  access_gates: { broker: 'rawd', cli: 'r' },
  access_credentials: { broker: 'rawd', remediator: 'rw', cli: 'rw' },
  access_promotions_told: { broker: 'rawd', cli: 'r' },
  standing_looks: { broker: 'rawd', cli: 'r' },
  standing_privileges: { broker: 'rawd', cli: 'r' },
  job_workers: { detector: 'rad', notifier: 'rad', remediator: 'rad', cli: 'r' },
};

const ofSequences: Readonly<Record<string, readonly ServiceRole[]>> = {
  incident_numbers: ['detector'],
  silence_numbers: ['cli'],
};

/** SECURITY DEFINER functions, and the roles that may call them. */
const ofFunctions: Readonly<Record<string, readonly ServiceRole[]>> = {
  'make_trail_day(date)': ['recorder'],
};

/**
 * graphile-worker: roles that run or add jobs. Row security hides its rows from everybody but their owner until a
 * policy allows it.
 */
const jobRoles: readonly ServiceRole[] = ['detector', 'notifier', 'remediator', 'cli'];

const operations: Readonly<Record<string, string>> = {
  r: 'SELECT',
  a: 'INSERT',
  w: 'UPDATE',
  d: 'DELETE',
  l: 'UPDATE (last_appended_ms)',
  s: 'SELECT (id, shown, link, state, expires_at, answered_by, answered_at)',
  i: 'SELECT (event_id, workspace, appended_at)',
};
const namesOf = (services: readonly ServiceRole[]) => services.map(roleName).join(', ');

/**
 * The statements that create the roles and grant their rights, to be run by the owner of the tables, who must be
 * allowed to create roles. To be run again after each migration: obsolete rights are revoked.
 * @param tables those that there are, as `readTables` tells.
 */
export function grantStatements(tables: { own: readonly string[]; jobs: readonly string[] }): string[] {
  const all = namesOf(serviceRoles);
  const ours = tables.own.filter((table) => ofTables[table] !== undefined);
  return [
    ...serviceRoles.map(
      (service) =>
        `DO $$ BEGIN CREATE ROLE ${roleName(service)} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    ),
    `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO ${all}', current_database()); END $$`,
    `REVOKE ALL ON ${ours.join(', ')} FROM ${all}`,
    `REVOKE ALL ON SEQUENCE ${Object.keys(ofSequences).join(', ')} FROM ${all}`,
    `GRANT USAGE ON SCHEMA public TO ${all}`,
    ...ours.flatMap((table) =>
      Object.entries(ofTables[table]!).map(([service, rights]) => {
        const granted = [...rights].map((right) => operations[right]).join(', ');
        return `GRANT ${granted} ON ${table} TO ${roleName(service as ServiceRole)}`;
      }),
    ),
    ...Object.entries(ofSequences).map(([name, services]) => `GRANT USAGE ON SEQUENCE ${name} TO ${namesOf(services)}`),
    ...Object.entries(ofFunctions).flatMap(([name, services]) => [
      `REVOKE ALL ON FUNCTION ${name} FROM PUBLIC, ${all}`,
      `GRANT EXECUTE ON FUNCTION ${name} TO ${namesOf(services)}`,
    ]),
    `REVOKE ALL ON ALL TABLES IN SCHEMA graphile_worker FROM ${all}`,
    `GRANT USAGE ON SCHEMA graphile_worker TO ${namesOf(jobRoles)}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA graphile_worker TO ${namesOf(jobRoles)}`,
    `GRANT USAGE ON ALL SEQUENCES IN SCHEMA graphile_worker TO ${namesOf(jobRoles)}`,
    ...tables.jobs
      .filter((table) => table !== 'migrations')
      .flatMap((table) => [
        `GRANT INSERT, UPDATE, DELETE ON graphile_worker.${table} TO ${namesOf(jobRoles)}`,
        `DROP POLICY IF EXISTS tripline ON graphile_worker.${table}`,
        `CREATE POLICY tripline ON graphile_worker.${table} TO ${namesOf(jobRoles)} USING (true) WITH CHECK (true)`,
      ]),
  ];
}

/**
 * The existing tables: Tripline's, without the trail's daily partitions, which inherit its rights; and
 * graphile-worker's.
 */
export async function readTables(db: Pick<Db, 'pool'>): Promise<{ own: string[]; jobs: string[] }> {
  const { rows } = await db.pool.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, t.relname AS name FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE n.nspname IN ('public', 'graphile_worker') AND t.relkind IN ('r', 'p') AND NOT t.relispartition ORDER BY 2`,
  );
  const of = (schema: string) => rows.filter((row) => row.schema === schema).map(({ name }) => name);
  return { own: of('public'), jobs: of('graphile_worker') };
}

/** Tables for which no rights are defined. */
export function undecided(own: readonly string[]): string[] {
  return own.filter((table) => ofTables[table] === undefined);
}

/** Creates the roles and grants their rights, all or nothing. New roles have no password, so nobody can log in yet. */
export async function applyGrants(db: Db): Promise<void> {
  const statements = grantStatements(await readTables(db));
  await inTransaction(db, async (client) => {
    // Roles belong to the whole server: one process at a time.
    await client.query('SELECT pg_advisory_xact_lock($1)', [grantsLock]);
    for (const statement of statements) await client.query(statement);
  });
}

/** Arbitrary, but used by no other advisory lock of Tripline. */
const grantsLock = 7_470_112;

/** Whether the services' roles exist here. */
export async function haveRoles(db: Pick<Db, 'pool'>): Promise<boolean> {
  const { rowCount } = await db.pool.query('SELECT FROM pg_roles WHERE rolname = $1', [roleName('detector')]);
  return rowCount === 1;
}
