-- Tellings that wait: for the sink's pace, for a sink that is away, or for a worker that died. What waits lies here in
-- an order, and not in the job queue, so that a million of them delay no other job.

-- When somebody is to take it up; null while nothing is left to do. A claim sets it to the claim's own end, so that a
-- dead worker's telling is taken up again; whoever finds a telling claimed sets it to now, so that it is looked at once
-- more.
ALTER TABLE told ADD COLUMN due_at timestamptz;
-- How grave a digest called the incident that was folded into it; graver, it gets a message of its own.
ALTER TABLE told ADD COLUMN severity text CHECK (severity IN ('low', 'medium', 'high', 'critical'));
CREATE INDEX told_due ON told (sink, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX told_digests ON told (id) WHERE incident IS NULL;
