-- Appends as `log_append` does (migrations/0013_log_ends.sql), and says when: whoever wrote can hand its records over to a
-- reader beside it, who then need not ask for them.
-- A function of its own: what a former process prepared must go on answering as it did.
CREATE FUNCTION log_append_timed(of_topic text, of_partitions integer[], lengths integer[], bytes bytea)
RETURNS TABLE (to_partition integer, base_offset bigint, appended_ms bigint) LANGUAGE plpgsql AS $$
DECLARE
  now_ms bigint;
  ends text;
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
  SELECT partition, base, last_appended_ms FROM moved;
  SELECT string_agg(p.partition || ':' || p.next_offset, ' ') INTO ends FROM log_partitions p
    WHERE p.topic = of_topic AND p.partition = ANY (of_partitions);
  PERFORM pg_notify('tripline_log', of_topic || ' ' || ends);
END $$;

-- For processes of before, until none is left.
CREATE OR REPLACE FUNCTION log_append(of_topic text, of_partitions integer[], lengths integer[], bytes bytea)
RETURNS TABLE (to_partition integer, base_offset bigint) LANGUAGE sql AS $$
  SELECT to_partition, base_offset FROM log_append_timed(of_topic, of_partitions, lengths, bytes)
$$;
