-- What nobody was handed counts for no cap: while a log or a provider is away jobs ask again and again, and were refused for an hour once
-- it was back.
CREATE OR REPLACE FUNCTION access_job_under_lock(of_run text, of_job text, of_workspace text, of_policy text, since timestamptz)
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
      (SELECT count(*)::integer FROM access_grants
       WHERE workspace = of_workspace AND policy = of_policy AND asked_at > since AND ending_why IS DISTINCT FROM 'not-recorded'),
      own.to_job,
      EXISTS (SELECT FROM access_grants WHERE workspace = of_workspace AND policy = of_policy),
      own.former
    FROM (
      SELECT (count(*) FILTER (WHERE asked_at > since AND ending_why IS DISTINCT FROM 'not-recorded'))::integer AS to_job,
        coalesce(array_agg(id ORDER BY id) FILTER (WHERE ending_at IS NULL), '{}') AS former
      FROM access_grants WHERE job_key = own_key AND policy = of_policy
    ) AS own
    LEFT JOIN (SELECT key, ended_at FROM access_ends WHERE key IN (of_run, of_job) ORDER BY ended_at, key LIMIT 1) AS e ON true;
END $$;
