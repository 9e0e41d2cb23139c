-- The log's time of the last finding or withdrawal that was laid on an incident: it decides which one a finding joins, and
-- must be the log's alone. `updated_at` moves with what people and remediation do too, by another clock, and a detector may
-- have hours to catch up on. Null: no verdict since this column came; `updated_at` is taken.
ALTER TABLE incidents ADD COLUMN last_verdict_at timestamptz;
