-- The embedded log: what stands in for Kafka where there is none. Read and written by packages/stream/embedded.ts alone.
-- Field docs of a record: packages/stream/contract.ts.

CREATE TABLE log_topics (
  topic            text PRIMARY KEY CHECK (topic <> ''),
  -- Fixed for good: a key's partition follows from it.
  partitions       integer NOT NULL CHECK (partitions > 0),
  retention_ms     bigint NOT NULL CHECK (retention_ms > 0),
  -- Key, headers and value together, in bytes.
  max_record_bytes integer NOT NULL CHECK (max_record_bytes > 0)
);

-- One row a partition. Its lock puts writers in order; every append moves it, so it keeps room for in-page updates.
CREATE TABLE log_partitions (
  topic            text NOT NULL REFERENCES log_topics,
  partition        integer NOT NULL CHECK (partition >= 0),
  -- The first record still kept; moves when retention deletes.
  first_offset     bigint NOT NULL DEFAULT 0 CHECK (first_offset >= 0),
  -- What the next record will get.
  next_offset      bigint NOT NULL DEFAULT 0 CHECK (next_offset >= first_offset),
  -- Append time of the last record, ms since the epoch; 0 before the first.
  last_appended_ms bigint NOT NULL DEFAULT 0 CHECK (last_appended_ms >= 0),
  PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE log (
  topic          text NOT NULL,
  partition      integer NOT NULL CHECK (partition >= 0),
  "offset"       bigint NOT NULL CHECK ("offset" >= 0),
  -- By the database's clock, ms since the epoch; never runs backwards within a partition.
  appended_at_ms bigint NOT NULL CHECK (appended_at_ms >= 0),
  -- Bytes and `json` rather than `text` and `jsonb`: a record is handed back as it came, NUL characters and all.
  key            bytea NOT NULL,
  headers        json NOT NULL,
  value          bytea,
  PRIMARY KEY (topic, partition, "offset")
);
-- Normalised events are small and read soon: compressing them costs more than it saves.
ALTER TABLE log ALTER COLUMN value SET STORAGE EXTERNAL;

-- Consumers of a group that are alive, in the order they joined.
CREATE TABLE log_consumers (
  group_name text NOT NULL,
  topic      text NOT NULL,
  -- Also the key of the advisory lock that the consumer's session holds: when it can be had, the consumer is dead.
  consumer   bigint NOT NULL,
  joined_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (group_name, topic, consumer)
);

-- Who owns a partition. No row: nobody. A lease dies with its consumer's row.
CREATE TABLE log_leases (
  group_name text NOT NULL,
  topic      text NOT NULL,
  partition  integer NOT NULL,
  consumer   bigint NOT NULL,
  PRIMARY KEY (group_name, topic, partition),
  FOREIGN KEY (group_name, topic, consumer) REFERENCES log_consumers ON DELETE CASCADE
);
CREATE INDEX log_leases_by_consumer ON log_leases (group_name, topic, consumer);

-- The log's clock: whole milliseconds since the epoch.
CREATE FUNCTION log_clock_ms() RETURNS bigint LANGUAGE sql VOLATILE
  RETURN floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- Appends a batch to one topic, in one round trip; answers the offset of the first record of each partition touched.
-- Record i (from 1) goes to partitions[i]; its key, headers and value lie in `bytes` end to end, and their lengths are
-- lengths[3i-2 .. 3i]. One binary parameter: an array of values would travel as hexadecimal text.
CREATE FUNCTION log_append(of_topic text, of_partitions integer[], lengths integer[], bytes bytea)
RETURNS TABLE (to_partition integer, base_offset bigint) LANGUAGE plpgsql AS $$
DECLARE
  now_ms bigint;
BEGIN
  -- Always in the same order, so that two batches never wait for each other in a circle.
  PERFORM 1 FROM log_partitions p WHERE p.topic = of_topic AND p.partition = ANY (of_partitions)
    ORDER BY p.partition FOR UPDATE;
  -- Only now: a time taken before the lock could lie before one that a reader was told while we waited for it.
  now_ms := log_clock_ms();
  RETURN QUERY
  WITH places AS (
    SELECT i, of_partitions[i] AS part, row_number() OVER (PARTITION BY of_partitions[i] ORDER BY i) AS nth,
           lengths[3*i-2] AS key_length, lengths[3*i-1] AS headers_length, lengths[3*i] AS value_length,
           1 + sum(lengths[3*i-2] + lengths[3*i-1] + lengths[3*i]) OVER (ORDER BY i)
             - lengths[3*i-2] - lengths[3*i-1] - lengths[3*i] AS start
    FROM generate_subscripts(of_partitions, 1) AS i
  ), moved AS (
    UPDATE log_partitions p
       SET next_offset = p.next_offset + c.records, last_appended_ms = greatest(p.last_appended_ms, now_ms)
      FROM (SELECT part, count(*) AS records FROM places GROUP BY part) c
     WHERE p.topic = of_topic AND p.partition = c.part
    RETURNING p.partition, p.next_offset - c.records AS base, p.last_appended_ms
  ), written AS (
    INSERT INTO log (topic, partition, "offset", appended_at_ms, key, headers, value)
    SELECT of_topic, m.partition, m.base + r.nth - 1, m.last_appended_ms,
           substring(bytes FROM r.start::int FOR r.key_length),
           convert_from(substring(bytes FROM (r.start + r.key_length)::int FOR r.headers_length), 'UTF8')::json,
           substring(bytes FROM (r.start + r.key_length + r.headers_length)::int FOR r.value_length)
      FROM places r JOIN moved m ON m.partition = r.part
  )
  SELECT partition, base FROM moved;
  PERFORM pg_notify('tripline_log', of_topic);
END $$;

-- A consumer's heartbeat: keeps it alive, buries the dead, and takes free partitions up to its fair share. Answers what
-- it owns; when that is more than `share`, it is to give the rest back.
CREATE FUNCTION log_heartbeat(of_group text, of_topic text, of_consumer bigint, ttl_ms integer)
RETURNS TABLE (owned integer[], share integer) LANGUAGE plpgsql AS $$
DECLARE
  changed integer;
  taken integer;
BEGIN
  -- One heartbeat of a group at a time: shares are reckoned on a picture that holds still.
  PERFORM pg_advisory_xact_lock(hashtextextended(of_group || ' ' || of_topic, 0));
  INSERT INTO log_consumers AS c (group_name, topic, consumer, expires_at)
  VALUES (of_group, of_topic, of_consumer, clock_timestamp() + ttl_ms * interval '1 ms')
  ON CONFLICT (group_name, topic, consumer) DO UPDATE SET expires_at = excluded.expires_at;
  -- Dead is who holds its session's lock no more (killed: at once), or did not beat in time (cut off: later).
  DELETE FROM log_consumers c
   WHERE c.group_name = of_group AND c.topic = of_topic AND c.consumer <> of_consumer
     AND (c.expires_at < clock_timestamp() OR pg_try_advisory_xact_lock(c.consumer));
  GET DIAGNOSTICS changed = ROW_COUNT;

  SELECT t.partitions / m.members + CASE WHEN m.place <= t.partitions % m.members THEN 1 ELSE 0 END INTO share
    FROM log_topics t,
         (SELECT c.consumer, count(*) OVER () AS members, row_number() OVER (ORDER BY c.joined_at, c.consumer) AS place
            FROM log_consumers c WHERE c.group_name = of_group AND c.topic = of_topic) m
   WHERE t.topic = of_topic AND m.consumer = of_consumer;
  INSERT INTO log_leases (group_name, topic, partition, consumer)
  SELECT of_group, of_topic, p.partition, of_consumer FROM log_partitions p
   WHERE p.topic = of_topic
     AND NOT EXISTS (SELECT FROM log_leases l WHERE l.group_name = of_group AND l.topic = of_topic AND l.partition = p.partition)
   ORDER BY p.partition
   LIMIT greatest(0, share - (SELECT count(*) FROM log_leases l
                               WHERE l.group_name = of_group AND l.topic = of_topic AND l.consumer = of_consumer));
  GET DIAGNOSTICS taken = ROW_COUNT;
  IF changed + taken > 0 THEN PERFORM pg_notify('tripline_log_groups', of_group || ' ' || of_topic); END IF;

  SELECT coalesce(array_agg(l.partition ORDER BY l.partition), '{}') INTO owned FROM log_leases l
   WHERE l.group_name = of_group AND l.topic = of_topic AND l.consumer = of_consumer;
  RETURN NEXT;
END $$;
