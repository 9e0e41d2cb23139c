-- Ends what a job was given before by a policy, in the statement that adds what it is given now: whoever dies between two statements
-- would leave both alive. The lock of the job is held by then (access_job_under_lock), and each statement here sees what became
-- live before it was taken. Signals the revoker, as endGrants does (packages/db/end-grants.ts), by which it is due at once.
CREATE FUNCTION access_end_former(of_former text[], at_time timestamptz, due_from timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  ended text[];
BEGIN
  WITH ending AS MATERIALIZED (
    SELECT id FROM access_grants WHERE id = ANY (of_former) AND ending_at IS NULL ORDER BY id FOR UPDATE
  ), set_ending AS (
    UPDATE access_grants g SET ending_at = at_time, ending_why = 'asked-again' FROM ending WHERE g.id = ending.id RETURNING g.id
  )
  SELECT array_agg(id) INTO ended FROM set_ending;
  UPDATE access_credentials SET state = 'ending', due_at = due_from WHERE grant_id = ANY (ended) AND state = 'live';
  PERFORM pg_notify('tripline_access', id) FROM unnest(ended) AS of_ended (id);
  RETURN coalesce(cardinality(ended), 0);
END $$;
