import type { Db } from '@tripline/db/database';
import { throughQueries } from '../../packages/testing/postgres/queries.ts';

const fence = /UPDATE positions SET[\s\S]*?RETURNING partition, next/;
/** The parameters that are used no more are sent nevertheless: each needs a type. */
const instead = `SELECT $3::integer AS partition, $5::bigint AS next
  WHERE $1::text || $2::text <> '' AND $4::bigint + $6::bigint >= 0`;

/**
 * What exactly-once costs is what the detector saves without it: batches are kept by its own statement, but no position
 * is locked, compared or moved. For the bench alone: what it leaves behind is not safe.
 */
export function unfenced(db: Db): Db {
  return throughQueries(db, (send) => (statement, ...more) => {
    if (typeof statement === 'string' || statement.name !== 'keep-batch') return send(statement, ...more);
    // Without this, both sides of the measure would be the same.
    if (!fence.test(statement.text!)) throw new Error('batches are kept by a statement that this does not know');
    return send({ ...statement, text: statement.text!.replace(fence, instead) }, ...more);
  });
}
