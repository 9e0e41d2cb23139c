import type { Db } from './database.ts';
import { DatabaseUnfitError, describeDatabaseFault } from './database-fault.ts';

/**
 * Whether the database answers, for a service's readiness.
 * @throws {DatabaseUnfitError} with what is wrong and what to do; whatever else it is, as it is.
 */
export async function checkAnswers(db: Pick<Db, 'pool'>): Promise<void> {
  try {
    await db.pool.query('SELECT 1');
  } catch (error) {
    const sentence = describeDatabaseFault(error);
    throw sentence === null ? error : new DatabaseUnfitError(sentence, { cause: error });
  }
}
