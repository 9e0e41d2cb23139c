import { EventEmitter } from 'node:events';
import type { JobName, Jobs } from '@tripline/contracts/job';
import type { Logger } from '@tripline/runtime/logger';
import { type JobHelpers, run, type TaskList, type WorkerEvents, Logger as WorkerLogger } from 'graphile-worker';
import pg, { type ClientBase } from 'pg';
import type { Db } from './database.ts';
import { patient } from './patient-pool.ts';

/** Which attempt a handler is called for, from 1. */
export type Attempt = { job: Pick<JobHelpers['job'], 'attempts'> };

/** The handler of each kind of job that a service runs. */
export type JobHandlers = { [N in JobName]?: (payload: Jobs[N], attempt: Attempt) => Promise<void> };

const usualConcurrency = 4;
/** graphile-worker warns of a pool that has fewer connections than handlers run; ours query on the service's own pool. */
const isKnown = (message: string) => message.includes('having maxPoolSize');
/** New jobs are signalled by NOTIFY; polling finds those that become due. */
const pollIntervalMs = 1000;
/** How often dead worker pools are looked for. */
const freeEveryMs = 5000;

/**
 * Runs jobs until `stop`, `concurrency` at a time; a job whose handler throws is retried with increasing pauses.
 * Payloads were written by `addJob`, so they are trusted.
 *
 * Taking or completing a job does not wait for the disk: a crash of Postgres may lose that, and the job is run again,
 * which every handler must tolerate anyway. The transactions that add jobs do wait.
 */
export async function runJobs(parts: {
  db: Db;
  logger: Logger;
  handlers: JobHandlers;
  /** Four, unless told otherwise. */
  concurrency?: number;
}): Promise<{ stop: () => Promise<void> }> {
  const { db, logger, handlers, concurrency = usualConcurrency } = parts;
  const { onConnect } = db.pool.options;
  const pool = new pg.Pool({
    ...db.pool.options,
    max: 4,
    async onConnect(client: ClientBase) {
      await onConnect?.(client);
      await client.query('SET synchronous_commit = off');
    },
  });
  // As in database.ts: a connection that dies is reported by the next query.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const patience = patient(pool);
  const events: WorkerEvents = new EventEmitter();
  // The listening session shows that the pool is alive; it is reopened when it breaks.
  events.on('pool:listen:success', ({ workerPool, client }) => {
    const enter = `INSERT INTO job_workers (worker) SELECT $1 WHERE pg_try_advisory_lock(hashtextextended($1, 6)) ON CONFLICT DO NOTHING`;
    // The LISTEN comes first.
    client.once('drain', () => {
      client
        .query(enter, [workerPool.id])
        .catch((error: unknown) =>
          logger.warn(
            { err: error },
            'registering this worker pool failed; should it die, its jobs stay locked for four hours',
          ),
        );
    });
  });
  const free = async () => {
    const dead = await freeJobsOfTheDead(pool).catch((error: unknown) =>
      logger.error({ err: error }, 'looking for dead worker pools failed; retrying at the next interval'),
    );
    if (dead) logger.warn({ pools: dead }, 'unlocked the jobs of dead workers');
  };
  await free();
  const freeing = setInterval(free, freeEveryMs);
  const runner = await run({
    pgPool: patience.pool,
    events,
    taskList: handlers as TaskList,
    noHandleSignals: true,
    // One fetch takes jobs for all free workers, and one poll serves all of them.
    preset: {
      worker: { concurrentJobs: concurrency, pollInterval: pollIntervalMs, localQueue: { size: concurrency } },
    },
    logger: new WorkerLogger(() => (level, message, meta) => {
      if (isFailure(meta)) logFailure(logger, meta);
      else if (level === 'error') logger.error(message);
      else if (level === 'warning' && !isKnown(message)) logger.warn(message);
    }),
  }).catch(async (error: unknown) => {
    clearInterval(freeing);
    await pool.end();
    throw error;
  });
  return {
    stop: async () => {
      clearInterval(freeing);
      await runner.stop();
      await patience.settled();
      await pool.end();
    },
  };
}

type Failure = {
  failure: true;
  job: { task_identifier: string; attempts: number; max_attempts: number };
  error: unknown;
};
const isFailure = (meta: unknown): meta is Failure => (meta as Partial<Failure> | undefined)?.failure === true;

/** In one sentence: graphile-worker's own has the stack in it, which a terminal would show each time. */
function logFailure(logger: Logger, { job, error }: Failure): void {
  const { task_identifier: name, attempts, max_attempts: most } = job;
  const next = attempts < most ? 'retrying after a longer pause each time' : 'not retried any more';
  // The reason is the error's message, which every reader of a log line shows beside it.
  const err = error instanceof Error ? error : new Error(String(error));
  logger.error({ err, job: name, attempt: attempts }, `job ${name} failed ${attempts} of ${most} times; ${next}`);
}

/**
 * Unlocks the jobs of pools whose session is gone: graphile-worker itself keeps them locked for four hours. Returns how
 * many pools. A living pool whose connection broke loses its jobs too, and they are run twice, which handlers must
 * tolerate.
 */
export async function freeJobsOfTheDead(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ dead: number }>(
    `WITH dead AS (
       DELETE FROM job_workers WHERE pg_try_advisory_xact_lock(hashtextextended(worker, 6)) RETURNING worker
     ), freed AS (
       SELECT graphile_worker.force_unlock_workers(array_agg(worker)) FROM dead HAVING count(*) > 0
     )
     SELECT (SELECT count(*)::int FROM dead) AS dead, (SELECT count(*) FROM freed) AS freed`,
  );
  return rows[0]!.dead;
}
