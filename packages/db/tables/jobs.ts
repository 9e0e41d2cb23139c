import type { Generated } from 'kysely';

/** Tables of migrations/0010_job_workers.sql, for kysely. Field docs stand there. graphile-worker's own are its own. */
export type JobsTables = { job_workers: { worker: string; begun_at: Generated<Date> } };
