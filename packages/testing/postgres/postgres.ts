import { inject } from 'vitest';
import { type FreshDatabase, freshDatabaseOn } from './fresh-database.ts';
import './postgres.global.ts';

export type { FreshDatabase };

/** A database of the test's own, migrated and empty, on the server that the test run started. `close` drops it. */
export function freshDatabase(): Promise<FreshDatabase> {
  return freshDatabaseOn(inject('postgresUrl'));
}
