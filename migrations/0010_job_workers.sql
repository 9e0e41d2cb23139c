-- Pools of workers that take jobs: a dead one's jobs are freed in seconds. Written by packages/db/run-jobs.ts.
CREATE TABLE job_workers (
  -- graphile-worker's name of the pool, which stands in `locked_by` of its jobs. Also the key of the advisory lock that
  -- its session holds: when it can be had, the pool is dead.
  worker   text PRIMARY KEY CHECK (worker <> ''),
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
