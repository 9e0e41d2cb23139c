-- Keyed state as a log-structured store, a partition each. From here on `rule_state` keeps the engine's own rows alone.

-- What a batch changed, until it is merged into a run. Compressed entries of packages/engine/entries.ts.
CREATE TABLE state_segments (
  partition integer NOT NULL CHECK (partition >= 0),
  -- Counts batches that changed something, from 1; the newer wins.
  segment   bigint NOT NULL CHECK (segment > 0),
  entries   bytea NOT NULL,
  PRIMARY KEY (partition, segment)
);
ALTER TABLE state_segments ALTER COLUMN entries SET STORAGE EXTERNAL;

-- Many segments or runs merged: their keys by hash, in 2 ^ bits pages.
CREATE TABLE state_runs (
  partition integer NOT NULL CHECK (partition >= 0),
  run       bigint NOT NULL CHECK (run > 0),
  -- building: pages are being written, and nobody reads them. standing: part of the state. dropped: its pages go.
  state     text NOT NULL CHECK (state IN ('building', 'standing', 'dropped')),
  -- The newest segment that went into it: of two runs, the one with the higher wins.
  newest    bigint NOT NULL CHECK (newest > 0),
  bits      smallint NOT NULL CHECK (bits BETWEEN 0 AND 30),
  -- So far, while it is building. Bytes before compression.
  keys      bigint NOT NULL CHECK (keys >= 0),
  bytes     bigint NOT NULL CHECK (bytes >= 0),
  PRIMARY KEY (partition, run)
);

CREATE TABLE state_pages (
  partition integer NOT NULL,
  run       bigint NOT NULL,
  page      integer NOT NULL CHECK (page >= 0),
  -- Compressed, in order of hash. Some kilobytes: kept in the row itself, so that a page is one read.
  entries   bytea NOT NULL,
  PRIMARY KEY (partition, run, page)
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE state_pages ALTER COLUMN entries SET STORAGE EXTERNAL;

-- What an owner holds in memory of a run: read whole when the partition is taken, so that no page need be.
CREATE TABLE state_stretches (
  partition integer NOT NULL,
  run       bigint NOT NULL,
  -- Its pages follow each other; so do the stretches of a run, from 0.
  stretch   integer NOT NULL CHECK (stretch >= 0),
  -- Keys of each page: 4 bytes a page, little-endian.
  counts    bytea NOT NULL CHECK (octet_length(counts) % 4 = 0),
  -- 16 bits of each key's hash, little-endian.
  prints    bytea NOT NULL CHECK (octet_length(prints) % 2 = 0),
  PRIMARY KEY (partition, run, stretch)
);
ALTER TABLE state_stretches ALTER COLUMN prints SET STORAGE EXTERNAL;

-- A detector that keeps state in these tables sets it to its epoch whenever it takes a partition. One of before, which
-- would go on from rows that are no longer kept, only adds one to the epoch: it then fails by this check.
ALTER TABLE positions ADD COLUMN state_epoch bigint;
ALTER TABLE positions ADD CONSTRAINT a_newer_tripline_owns_this_partition_stop_this_detector
  CHECK (state_epoch = epoch);
