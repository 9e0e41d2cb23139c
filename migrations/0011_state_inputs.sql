-- A merge of runs goes on where an owner before left it: at millions of keys it takes longer than some owners last.
-- Runs that are merged into this one; none when segments are.
ALTER TABLE state_runs ADD COLUMN inputs bigint[] NOT NULL DEFAULT '{}';
