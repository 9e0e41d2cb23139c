-- What the migrations add up to. Written by `npm run docs`; a test compares it with a migrated database.

CREATE SEQUENCE incident_numbers;

CREATE TABLE findings (
  id text NOT NULL,
  incident text,
  rule text NOT NULL,
  workspace text NOT NULL,
  subject text NOT NULL,
  occasion text NOT NULL,
  severity text NOT NULL,
  confidence text NOT NULL,
  title text NOT NULL,
  summary text NOT NULL,
  deciding_event text NOT NULL,
  occurred_at timestamp with time zone NOT NULL,
  detected_at timestamp with time zone NOT NULL,
  recorded_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  evidence jsonb NOT NULL,
  entities jsonb NOT NULL,
  response jsonb NOT NULL,
  remedy jsonb NOT NULL,
  silence text NOT NULL,
  attack text[] NOT NULL,
  attack_version text NOT NULL,
  owasp text[] NOT NULL,
  silenced_by text,
  withdrawn_at timestamp with time zone,
  withdrawn_reason text,
  CONSTRAINT findings_confidence_check CHECK ((confidence = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text]))),
  CONSTRAINT findings_deciding_event_check CHECK ((deciding_event <> ''::text)),
  CONSTRAINT findings_entities_check CHECK ((jsonb_typeof(entities) = 'array'::text)),
  CONSTRAINT findings_evidence_check CHECK ((jsonb_typeof(evidence) = 'array'::text)),
  CONSTRAINT findings_id_check CHECK ((id ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT findings_occasion_check CHECK ((occasion <> ''::text)),
  CONSTRAINT findings_remedy_check CHECK ((jsonb_typeof(remedy) = 'array'::text)),
  CONSTRAINT findings_response_check CHECK ((jsonb_typeof(response) = 'array'::text)),
  CONSTRAINT findings_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT findings_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT findings_subject_check CHECK ((subject <> ''::text)),
  CONSTRAINT findings_title_check CHECK ((char_length(title) <= 300)),
  CONSTRAINT findings_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT told_or_silenced CHECK (((incident IS NULL) = (silenced_by IS NOT NULL))),
  CONSTRAINT withdrawn_says_why CHECK (((withdrawn_at IS NULL) = (withdrawn_reason IS NULL))),
  CONSTRAINT findings_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id),
  CONSTRAINT findings_pkey PRIMARY KEY (id),
  CONSTRAINT one_per_occasion UNIQUE (workspace, rule, subject, occasion)
);

CREATE TABLE incident_entities (
  incident text NOT NULL,
  workspace text NOT NULL,
  kind text NOT NULL,
  entity text NOT NULL,
  CONSTRAINT incident_entities_entity_check CHECK ((entity <> ''::text)),
  CONSTRAINT incident_entities_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'repository'::text, 'run'::text, 'runner'::text, 'credential'::text, 'commit'::text, 'grant'::text]))),
  CONSTRAINT incident_entities_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id) ON DELETE CASCADE,
  CONSTRAINT incident_entities_pkey PRIMARY KEY (incident, kind, entity)
);

CREATE TABLE incident_events (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  incident text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL,
  actor jsonb NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT incident_events_kind_check CHECK ((kind = ANY (ARRAY['opened'::text, 'joined'::text, 'acknowledged'::text, 'resolved'::text, 'reopened'::text, 'withdrawn'::text, 'told'::text, 'remediated'::text]))),
  CONSTRAINT incident_events_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id) ON DELETE CASCADE,
  CONSTRAINT incident_events_pkey PRIMARY KEY (id)
);

CREATE TABLE incidents (
  id text NOT NULL,
  workspace text NOT NULL,
  state text NOT NULL DEFAULT 'open'::text,
  severity text NOT NULL,
  title text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  opened_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  acknowledged_at timestamp with time zone,
  acknowledged_by jsonb,
  resolved_at timestamp with time zone,
  resolved_by jsonb,
  resolution text,
  CONSTRAINT acknowledged_has_time CHECK (((state <> 'acknowledged'::text) OR (acknowledged_at IS NOT NULL))),
  CONSTRAINT acknowledged_says_who CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL))),
  CONSTRAINT incidents_id_check CHECK ((id ~ '^INC-[0-9]+$'::text)),
  CONSTRAINT incidents_resolution_check CHECK ((resolution = ANY (ARRAY['true'::text, 'false'::text, 'accepted'::text]))),
  CONSTRAINT incidents_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT incidents_state_check CHECK ((state = ANY (ARRAY['open'::text, 'acknowledged'::text, 'resolved'::text]))),
  CONSTRAINT incidents_title_check CHECK ((char_length(title) <= 300)),
  CONSTRAINT incidents_version_check CHECK ((version > 0)),
  CONSTRAINT incidents_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT resolved_says_who_and_how CHECK ((((state = 'resolved'::text) = ((resolved_at IS NOT NULL) AND (resolved_by IS NOT NULL) AND (resolution IS NOT NULL))) AND ((resolved_at IS NULL) = (resolution IS NULL)) AND ((resolved_at IS NULL) = (resolved_by IS NULL)))),
  CONSTRAINT incidents_pkey PRIMARY KEY (id)
);

CREATE TABLE log (
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  appended_at_ms bigint NOT NULL,
  key bytea NOT NULL,
  headers json NOT NULL,
  value bytea,
  CONSTRAINT log_appended_at_ms_check CHECK ((appended_at_ms >= 0)),
  CONSTRAINT log_offset_check CHECK (("offset" >= 0)),
  CONSTRAINT log_partition_check CHECK ((partition >= 0)),
  CONSTRAINT log_pkey PRIMARY KEY (topic, partition, "offset")
);

CREATE TABLE log_consumers (
  group_name text NOT NULL,
  topic text NOT NULL,
  consumer bigint NOT NULL,
  joined_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT log_consumers_pkey PRIMARY KEY (group_name, topic, consumer)
);

CREATE TABLE log_leases (
  group_name text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  consumer bigint NOT NULL,
  CONSTRAINT log_leases_group_name_topic_consumer_fkey FOREIGN KEY (group_name, topic, consumer) REFERENCES log_consumers(group_name, topic, consumer) ON DELETE CASCADE,
  CONSTRAINT log_leases_pkey PRIMARY KEY (group_name, topic, partition)
);

CREATE TABLE log_partitions (
  topic text NOT NULL,
  partition integer NOT NULL,
  first_offset bigint NOT NULL DEFAULT 0,
  next_offset bigint NOT NULL DEFAULT 0,
  last_appended_ms bigint NOT NULL DEFAULT 0,
  CONSTRAINT log_partitions_check CHECK ((next_offset >= first_offset)),
  CONSTRAINT log_partitions_first_offset_check CHECK ((first_offset >= 0)),
  CONSTRAINT log_partitions_last_appended_ms_check CHECK ((last_appended_ms >= 0)),
  CONSTRAINT log_partitions_partition_check CHECK ((partition >= 0)),
  CONSTRAINT log_partitions_topic_fkey FOREIGN KEY (topic) REFERENCES log_topics(topic),
  CONSTRAINT log_partitions_pkey PRIMARY KEY (topic, partition)
) WITH (fillfactor=50);

CREATE TABLE log_topics (
  topic text NOT NULL,
  partitions integer NOT NULL,
  retention_ms bigint NOT NULL,
  max_record_bytes integer NOT NULL,
  CONSTRAINT log_topics_max_record_bytes_check CHECK ((max_record_bytes > 0)),
  CONSTRAINT log_topics_partitions_check CHECK ((partitions > 0)),
  CONSTRAINT log_topics_retention_ms_check CHECK ((retention_ms > 0)),
  CONSTRAINT log_topics_topic_check CHECK ((topic <> ''::text)),
  CONSTRAINT log_topics_pkey PRIMARY KEY (topic)
);

CREATE TABLE positions (
  consumer text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next bigint NOT NULL DEFAULT 0,
  log_time_ms bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  CONSTRAINT positions_consumer_check CHECK ((consumer <> ''::text)),
  CONSTRAINT positions_epoch_check CHECK ((epoch >= 0)),
  CONSTRAINT positions_log_time_ms_check CHECK ((log_time_ms >= 0)),
  CONSTRAINT positions_next_check CHECK ((next >= 0)),
  CONSTRAINT positions_partition_check CHECK ((partition >= 0)),
  CONSTRAINT positions_topic_check CHECK ((topic <> ''::text)),
  CONSTRAINT positions_pkey PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor=20);

CREATE TABLE rule_state (
  workspace text NOT NULL,
  rule text NOT NULL,
  key text NOT NULL,
  value json NOT NULL,
  expires_ms bigint NOT NULL,
  partition integer NOT NULL,
  CONSTRAINT rule_state_partition_check CHECK ((partition >= 0)),
  CONSTRAINT rule_state_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT rule_state_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT rule_state_pkey PRIMARY KEY (workspace, rule, key)
);

CREATE TABLE schema_migrations (
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

CREATE TABLE seen_batches (
  partition integer NOT NULL,
  next bigint NOT NULL,
  log_time_ms bigint NOT NULL,
  entries bytea NOT NULL,
  CONSTRAINT seen_batches_entries_check CHECK (((octet_length(entries) % 20) = 0)),
  CONSTRAINT seen_batches_next_check CHECK ((next > 0)),
  CONSTRAINT seen_batches_partition_check CHECK ((partition >= 0)),
  CONSTRAINT seen_batches_pkey PRIMARY KEY (partition, next)
);

CREATE TABLE timers (
  workspace text NOT NULL,
  rule text NOT NULL,
  id text NOT NULL,
  due_ms bigint NOT NULL,
  keys json NOT NULL,
  partition integer NOT NULL,
  CONSTRAINT timers_keys_check CHECK ((json_typeof(keys) = 'array'::text)),
  CONSTRAINT timers_partition_check CHECK ((partition >= 0)),
  CONSTRAINT timers_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT timers_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT timers_pkey PRIMARY KEY (workspace, rule, id)
);

CREATE TABLE trail (
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  appended_at timestamp with time zone NOT NULL,
  event_id text,
  event_type text,
  workspace text,
  fault text,
  key bytea NOT NULL,
  headers json NOT NULL,
  value bytea,
  hash bytea NOT NULL,
  CONSTRAINT trail_hash_check CHECK ((octet_length(hash) = 32)),
  CONSTRAINT trail_offset_check CHECK (("offset" >= 0)),
  CONSTRAINT trail_partition_check CHECK ((partition >= 0)),
  CONSTRAINT trail_pkey PRIMARY KEY (topic, partition, "offset", appended_at)
) PARTITION BY RANGE (appended_at);

CREATE TABLE trail_heads (
  topic text NOT NULL,
  partition integer NOT NULL,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  row_count bigint NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT trail_heads_check CHECK ((last_offset >= first_offset)),
  CONSTRAINT trail_heads_first_offset_check CHECK ((first_offset >= 0)),
  CONSTRAINT trail_heads_hash_check CHECK ((octet_length(hash) = 32)),
  CONSTRAINT trail_heads_row_count_check CHECK ((row_count > 0)),
  CONSTRAINT trail_heads_pkey PRIMARY KEY (topic, partition)
);

CREATE INDEX findings_by_incident ON public.findings USING btree (incident, detected_at);
CREATE INDEX findings_newest ON public.findings USING btree (recorded_at DESC);
CREATE INDEX incident_entities_by_entity ON public.incident_entities USING btree (workspace, kind, entity);
CREATE INDEX incident_events_by_incident ON public.incident_events USING btree (incident, id);
CREATE INDEX incidents_open ON public.incidents USING btree (workspace, updated_at DESC) WHERE (state <> 'resolved'::text);
CREATE INDEX log_leases_by_consumer ON public.log_leases USING btree (group_name, topic, consumer);
CREATE INDEX rule_state_expired ON public.rule_state USING btree (partition, expires_ms);
CREATE INDEX rule_state_of_engine ON public.rule_state USING btree (partition) WHERE (rule ~~ '@%'::text);
CREATE INDEX timers_by_partition ON public.timers USING btree (partition);
CREATE INDEX trail_by_event ON ONLY public.trail USING btree (event_id);
CREATE INDEX trail_by_workspace ON ONLY public.trail USING btree (workspace, appended_at);

CREATE OR REPLACE FUNCTION public.log_append(of_topic text, of_partitions integer[], lengths integer[], bytes bytea)
 RETURNS TABLE(to_partition integer, base_offset bigint)
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE OR REPLACE FUNCTION public.log_clock_ms()
 RETURNS bigint
 LANGUAGE sql
RETURN (floor((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric)))::bigint
;

CREATE OR REPLACE FUNCTION public.make_trail_day(of date)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  name text := 'trail_' || to_char(of, 'YYYYMMDD');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('make_trail_day'));
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE trail INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  EXECUTE format('ALTER TABLE trail ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
    of::timestamp AT TIME ZONE 'UTC', (of + 1)::timestamp AT TIME ZONE 'UTC');
END $function$
;
