import type { Difference } from './check.ts';
import type { Server } from './database.ts';
import { simulateGlobals } from './globals.ts';
import type { Mutant } from './mutants.ts';
import type { Life } from './world.ts';

/** What one seed came to. `counts`: what was played, summed up over seeds. `isMutated`: the planted bug met something. */
export type Simulated = { differences: Difference[]; counts: Record<string, number>; isMutated: boolean };

export type SimulateOptions = {
  /** Hears of every step. */
  trace?: (line: string) => void;
  /** Hears what the services log at `warn` and above. */
  log?: (line: string) => void;
  /** A planted bug. */
  mutant?: Mutant;
};

/**
 * Does `work` while the platform's timers, chance and time are the world's, and then `close`. `fell` hears of a rejection that nobody
 * heard of, which ends its process, as Node does it.
 */
export async function withinSimulation<T>(
  work: () => Promise<T>,
  of: { fell: (life: Life | undefined, error: unknown) => void; close: () => Promise<void> },
): Promise<T> {
  const restore = simulateGlobals();
  const others = process.listeners('unhandledRejection');
  const fell = (error: unknown) => of.fell((error as { life?: Life }).life, error);
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', fell);
  try {
    return await work();
  } finally {
    await of.close();
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
    restore();
  }
}

/**
 * Leaves the database as it was before the first seed, on the disk too: what no statement asks to have in order (jobs that
 * are due at once, say) is read in the order in which it lies there.
 */
export async function clean({ db }: Server): Promise<void> {
  const { rows } = await db.pool.query<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class
     WHERE relkind = 'r' AND pg_relation_size(oid) > 0 AND relname <> 'schema_migrations'
       AND (relnamespace = 'public'::regnamespace OR relname = '_private_jobs')`,
  );
  if (rows.length > 0) {
    await db.pool.query(`TRUNCATE ${rows.map(({ name }) => name).join(', ')} RESTART IDENTITY CASCADE`);
  }
  await db.pool.query("SELECT setval('incident_numbers', 1, false)");
}
