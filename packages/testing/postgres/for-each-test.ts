import { afterEach, beforeEach } from 'vitest';
import { freshDatabase } from './postgres.ts';

/** Gives each test of the suite at hand a database of its own. */
export function forEachTest(use: (database: Awaited<ReturnType<typeof freshDatabase>>) => void): void {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  beforeEach(async () => {
    database = await freshDatabase();
    use(database);
  });
  afterEach(() => database.close());
}
