-- What the detector keeps between batches. Every row is written in the transaction that moves its partition's position.

CREATE TABLE positions (
  -- Who reads: `detector`, `recorder`.
  consumer    text NOT NULL CHECK (consumer <> ''),
  topic       text NOT NULL CHECK (topic <> ''),
  partition   integer NOT NULL CHECK (partition >= 0),
  -- Offset of the first record that is not done with.
  next        bigint NOT NULL DEFAULT 0 CHECK (next >= 0),
  -- The log's time up to which the partition was judged, ms since the epoch; never falls.
  log_time_ms bigint NOT NULL DEFAULT 0 CHECK (log_time_ms >= 0),
  -- Grows by one whenever somebody takes the partition; an owner with an older one is fenced.
  epoch       bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 20);

CREATE TABLE rule_state (
  workspace  text NOT NULL CHECK (workspace <> ''),
  -- A rule's id, or a name that begins with @ for what the engine itself keeps.
  rule       text NOT NULL CHECK (rule <> ''),
  key        text NOT NULL,
  -- json, not jsonb: a rule gets back the very order of fields that it wrote, or a restart could change what it finds.
  value      json NOT NULL,
  -- The log's time after which the row counts as absent, ms since the epoch.
  expires_ms bigint NOT NULL,
  -- Partition of the workspace: whose owner sweeps the row.
  partition  integer NOT NULL CHECK (partition >= 0),
  PRIMARY KEY (workspace, rule, key)
);
CREATE INDEX rule_state_expired ON rule_state (partition, expires_ms);
-- The engine's own rows are few and are loaded whole when a partition is taken.
CREATE INDEX rule_state_of_engine ON rule_state (partition) WHERE rule LIKE '@%';

CREATE TABLE timers (
  workspace text NOT NULL CHECK (workspace <> ''),
  rule      text NOT NULL CHECK (rule <> ''),
  id        text NOT NULL,
  -- The log's time at which it fires, ms since the epoch.
  due_ms    bigint NOT NULL,
  -- Keys of state that the rule may touch when it fires.
  keys      json NOT NULL CHECK (json_typeof(keys) = 'array'),
  partition integer NOT NULL CHECK (partition >= 0),
  PRIMARY KEY (workspace, rule, id)
);
CREATE INDEX timers_by_partition ON timers (partition);

-- Ids and body hashes of the events of 72 hours, against duplicates: one row a batch.
CREATE TABLE seen_batches (
  partition   integer NOT NULL CHECK (partition >= 0),
  -- Position after the batch.
  next        bigint NOT NULL CHECK (next > 0),
  log_time_ms bigint NOT NULL,
  -- Entries of packages/engine/seen.ts, 20 bytes each.
  entries     bytea NOT NULL CHECK (octet_length(entries) % 20 = 0),
  PRIMARY KEY (partition, next)
);
ALTER TABLE seen_batches ALTER COLUMN entries SET STORAGE EXTERNAL;
