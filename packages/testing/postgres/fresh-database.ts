import { randomBytes } from 'node:crypto';
import { type Db, openDatabase } from '@tripline/db/database';
import { roleName, type ServiceRole } from '@tripline/db/grants';
import { databaseUrl, template } from './postgres.global.ts';

export type FreshDatabase = {
  url: string;
  /** As the owner of the tables. */
  db: Db;
  /** As the role of a service, with its rights alone. */
  as: (service: ServiceRole) => Db;
  urlAs: (service: ServiceRole) => string;
  close: () => Promise<void>;
};

/** A database of the caller's own, migrated and empty, on a server of `startTestPostgres`. `close` drops it. */
export function freshDatabaseOn(serverUrl: string): Promise<FreshDatabase> {
  return makeDatabase(serverUrl, `TEMPLATE ${template}`);
}

/** The same without any table. */
export function emptyDatabaseOn(serverUrl: string): Promise<FreshDatabase> {
  return makeDatabase(serverUrl, '');
}

async function makeDatabase(serverUrl: string, options: string): Promise<FreshDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `CREATE DATABASE ${name} ${options}`);
  const url = databaseUrl(serverUrl, name);
  const db = openDatabase(url, { applicationName: 'tripline-test', maxConnections: 10 });
  const others: Db[] = [];
  return {
    url,
    db,
    urlAs: (service) => urlAs(url, service),
    as(service) {
      const other = openAs(db, service);
      others.push(other);
      return other;
    },
    close: async () => {
      await Promise.all([db, ...others].map((one) => one.close()));
      await onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** The same database as the role of a service. */
export function openAs(db: Db, service: ServiceRole): Db {
  const url = urlAs(db.pool.options.connectionString!, service);
  return openDatabase(url, { applicationName: `tripline-${service}`, maxConnections: 10 });
}

function urlAs(url: string, service: ServiceRole): string {
  const other = new URL(url);
  other.username = roleName(service);
  return other.href;
}

async function onServer(url: string, sql: string): Promise<void> {
  const admin = openDatabase(url, { applicationName: 'tripline-test', maxConnections: 1 });
  await admin.pool.query(sql).finally(() => admin.close());
}
