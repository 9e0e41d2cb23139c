import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import type { MinterOptions } from '@tripline/integrations/minter';

/** Longer than what is done under a lock: some calls of a provider, each bounded. */
const longestIdle = '60s';

/**
 * Runs work for a key while no other process runs any for it, by a lock in Postgres. It holds a connection meanwhile.
 * @throws {Error} Postgres is away, or work threw.
 */
export const exclusivelyBy =
  (db: Db): NonNullable<MinterOptions['exclusively']> =>
  (key, work) =>
    inTransaction(db, async (client) => {
      await client.query(`SET LOCAL idle_in_transaction_session_timeout = '${longestIdle}'`);
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`minter/${key}`]);
      return work();
    });
