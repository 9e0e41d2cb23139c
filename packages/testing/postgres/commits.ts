import type { Db } from '@tripline/db/database';
import { throughQueries } from './queries.ts';

/** `onCommit` hears up to which offset of which partition what was judged stands in Postgres, as soon as it does. */
export function watchCommits(db: Db, onCommit: (partition: number, next: number) => void): Db {
  return throughQueries(db, (send, of) => {
    /** `keep-batch` by itself is a transaction; on a client, it is committed with what follows. */
    let kept: [number, number] | undefined;
    return async (statement, ...more) => {
      if (typeof statement !== 'string' && statement.name === 'keep-batch') {
        kept = [statement.values![2] as number, statement.values![4] as number];
      }
      const committing = kept !== undefined && (of === 'pool' || statement === 'COMMIT') ? kept : undefined;
      if (committing !== undefined) kept = undefined;
      const result = await send(statement, ...more);
      if (committing !== undefined) onCommit(...committing);
      return result;
    };
  });
}
