-- What a job waits for in Postgres while it is given something, in one round trip each. Both take the job's lock as lockJob does
-- (services/broker/store/ends.ts) and then read: each statement of a volatile function sees what was committed before that
-- statement began, where what one statement reads beside a lock is older than the lock. Whoever calls them may write by what they
-- return in the same statement, whose end gives the lock back.

-- The end of a job or of its run, how often a policy was granted since a time, to all and to the job, whether it ever was, and
-- which grants of the job by it do not end.
CREATE FUNCTION access_job_under_lock(of_run text, of_job text, of_workspace text, of_policy text, since timestamptz)
RETURNS TABLE (end_key text, ended_at timestamptz, granted integer, to_job integer, is_known boolean, former text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  own_key text := coalesce(of_job, of_run);
BEGIN
  IF of_job IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_run, 0));
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(own_key, 0));
  RETURN QUERY
    SELECT e.key, e.ended_at,
      (SELECT count(*)::integer FROM access_grants WHERE workspace = of_workspace AND policy = of_policy AND asked_at > since),
      (SELECT count(*)::integer FROM access_grants WHERE job_key = own_key AND policy = of_policy AND asked_at > since),
      EXISTS (SELECT FROM access_grants WHERE workspace = of_workspace AND policy = of_policy),
      ARRAY (SELECT id FROM access_grants WHERE job_key = own_key AND policy = of_policy AND ending_at IS NULL ORDER BY id)
    FROM (SELECT) AS always
    LEFT JOIN (SELECT key, ended_at FROM access_ends WHERE key IN (of_run, of_job) ORDER BY ended_at, key LIMIT 1) AS e ON true;
END $$;

-- Why a grant is to end, under the lock of its row too, and the end of its job or run; no row where there is no such grant.
CREATE FUNCTION access_grant_under_lock(of_run text, of_job text, of_grant text)
RETURNS TABLE (ending_why text, end_key text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  IF of_job IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_run, 0));
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(coalesce(of_job, of_run), 0));
  RETURN QUERY
    SELECT g.ending_why, (SELECT key FROM access_ends WHERE key IN (of_run, of_job) ORDER BY ended_at, key LIMIT 1)
    FROM access_grants g WHERE g.id = of_grant FOR UPDATE;
END $$;
