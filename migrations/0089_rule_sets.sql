-- Which rules, settings and exceptions judged which part of the log, so that it can be judged again by the same; and which
-- detectors were given some that they could not take.

CREATE TABLE rule_sets (
  -- Hex, of all that decides what is found.
  version  text PRIMARY KEY CHECK (version <> ''),
  -- What it was made of: rules, and files with their SHA-256. Settings stand in it by the version alone.
  made_of  jsonb NOT NULL CHECK (jsonb_typeof(made_of) = 'object'),
  first_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- From this offset and log time on a partition was judged by this set, until the next row of the partition.
CREATE TABLE rule_set_uses (
  use         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  partition   integer NOT NULL,
  next        bigint NOT NULL CHECK (next >= 0),
  log_time_ms bigint NOT NULL,
  version     text NOT NULL REFERENCES rule_sets,
  at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rule_set_uses_by_partition ON rule_set_uses (partition, use);

-- A row a process that runs former rules, since those that it was given are wrong; told as long as the process says so.
CREATE TABLE reload_faults (
  -- Host and process id.
  process text PRIMARY KEY CHECK (process <> ''),
  -- What is wrong, in which file; quotes no value.
  reason  text NOT NULL CHECK (reason <> ''),
  since   timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
