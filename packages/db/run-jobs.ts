import type { JobName, Jobs } from '@tripline/contracts/job';
import type { Logger } from '@tripline/runtime/logger';
import { type JobHelpers, run, type TaskList, Logger as WorkerLogger } from 'graphile-worker';
import pg from 'pg';
import type { Db } from './database.ts';

/** Which attempt a handler is called for, from 1. */
export type Attempt = { job: Pick<JobHelpers['job'], 'attempts'> };

/** What a room does with each kind of job that it takes. */
export type JobHandlers = { [N in JobName]?: (payload: Jobs[N], attempt: Attempt) => Promise<void> };

const usualConcurrency = 4;
/** New jobs ring at once by NOTIFY; this is for those that become due. */
const pollIntervalMs = 1000;

/**
 * Takes jobs until `stop`, `concurrency` at a time; a handler that throws has its job tried again later, ever more slowly.
 * Payloads were written by `addJob`, so they are trusted.
 *
 * Whoever takes a job or ends it does not wait for the disk: a crash of Postgres may forget that, and the job is run
 * again, which every handler must bear anyhow. Jobs are added by those whose transactions do wait.
 */
export async function runJobs(parts: {
  db: Db;
  logger: Logger;
  handlers: JobHandlers;
  /** Four, unless told otherwise. */
  concurrency?: number;
}): Promise<{ stop: () => Promise<void> }> {
  const { db, logger, handlers, concurrency = usualConcurrency } = parts;
  const pool = new pg.Pool({ ...db.pool.options, options: '-c synchronous_commit=off', max: 4 });
  // As in database.ts: a connection that dies is reported by the next query.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const runner = await run({
    pgPool: pool,
    taskList: handlers as TaskList,
    noHandleSignals: true,
    // One fetch brings all that can be worked on, and one poll looks for all workers.
    preset: {
      worker: { concurrentJobs: concurrency, pollInterval: pollIntervalMs, localQueue: { size: concurrency } },
    },
    logger: new WorkerLogger(() => (level, message) => {
      if (level === 'error' || level === 'warning') logger[level === 'error' ? 'error' : 'warn'](message);
    }),
  }).catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });
  return {
    stop: async () => {
      await runner.stop();
      await pool.end();
    },
  };
}
