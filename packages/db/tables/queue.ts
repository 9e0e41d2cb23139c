import type { Purpose } from '@tripline/contracts/job';
import type { Generated } from 'kysely';

/** Table of migrations/0090_queue.sql, for kysely. Field docs stand there. */
export type QueueTables = {
  queue: {
    purpose: Purpose;
    item: string;
    due_at: Generated<Date>;
    claimed_by: string | null;
    again_at: Date | null;
    failures: Generated<number>;
    failure: string | null;
  };
};
