import type { JobName, Jobs } from '@tripline/contracts/job';
import type { Logger } from '@tripline/runtime/logger';
import { type JobHelpers, run, type TaskList, Logger as WorkerLogger } from 'graphile-worker';
import type { Db } from './database.ts';

/** Which attempt a handler is called for, from 1. */
export type Attempt = { job: Pick<JobHelpers['job'], 'attempts'> };

/** What a room does with each kind of job that it takes. */
export type JobHandlers = { [N in JobName]?: (payload: Jobs[N], attempt: Attempt) => Promise<void> };

const concurrency = 4;
/** New jobs ring at once by NOTIFY; this is for those that become due. */
const pollIntervalMs = 1000;

/**
 * Takes jobs until `stop`, four at a time; a handler that throws has its job tried again later, ever more slowly.
 * Payloads were written by `addJob`, so they are trusted.
 */
export async function runJobs(parts: {
  db: Db;
  logger: Logger;
  handlers: JobHandlers;
}): Promise<{ stop: () => Promise<void> }> {
  const { db, logger, handlers } = parts;
  const runner = await run({
    pgPool: db.pool,
    taskList: handlers as TaskList,
    concurrency,
    noHandleSignals: true,
    pollInterval: pollIntervalMs,
    logger: new WorkerLogger(() => (level, message) => {
      if (level === 'error' || level === 'warning') logger[level === 'error' ? 'error' : 'warn'](message);
    }),
  });
  return { stop: () => runner.stop() };
}
