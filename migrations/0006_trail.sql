-- The audit trail: every record of the events topic as the log gave it, in day partitions, each log partition a hash
-- chain of its own. Written by services/recorder alone; read by `tripline trail verify`. Field docs: packages/db/trail.ts.

CREATE TABLE trail (
  topic       text NOT NULL,
  partition   integer NOT NULL CHECK (partition >= 0),
  "offset"    bigint NOT NULL CHECK ("offset" >= 0),
  -- The log's append time, whole milliseconds. Decides the day partition, in UTC.
  appended_at timestamptz NOT NULL,
  -- For searching: copies of ce_id, ce_type and ce_workspace. Null where the record has none that Postgres can hold.
  event_id    text,
  event_type  text,
  workspace   text,
  -- Why no reader can use the record; null for a sound event.
  fault       text,
  -- The record itself. `json`, not `jsonb`: it keeps the text that was hashed, and takes an escaped NUL.
  key         bytea NOT NULL,
  headers     json NOT NULL,
  value       bytea,
  -- sha256(hash of the row before it ‖ canonical bytes of this record).
  hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (topic, partition, "offset", appended_at)
) PARTITION BY RANGE (appended_at);
CREATE INDEX trail_by_event ON trail (event_id);
CREATE INDEX trail_by_workspace ON trail (workspace, appended_at);

-- Where each chain begins and ends. It moves in the transaction that adds the rows, beside the recorder's position, so
-- that rows cut off at either end are missed.
CREATE TABLE trail_heads (
  topic          text NOT NULL,
  partition      integer NOT NULL,
  -- First offset of the chain: the oldest that the log still had when recording began.
  first_offset   bigint NOT NULL CHECK (first_offset >= 0),
  last_offset    bigint NOT NULL CHECK (last_offset >= first_offset),
  row_count      bigint NOT NULL CHECK (row_count > 0),
  -- Hash of the last row.
  hash           bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (topic, partition)
);

-- Makes the partition of a day. Attached rather than created in place: ATTACH lets readers of the trail go on, and
-- CREATE … PARTITION OF would wait for every one of them.
CREATE FUNCTION make_trail_day(of date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'trail_' || to_char(of, 'YYYYMMDD');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('make_trail_day'));
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE trail INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  EXECUTE format('ALTER TABLE trail ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
    of::timestamp AT TIME ZONE 'UTC', (of + 1)::timestamp AT TIME ZONE 'UTC');
END $$;
