-- Of which incidents people are to be notified, and which playbooks are to be run: a row a thing, as long as there is
-- something to do about it. Rows are added in the transaction that gives rise to them, claimed by whoever finds them due,
-- and deleted when all is done. Written by packages/db/queue.ts.
CREATE TABLE queue (
  -- notify: bring every channel in sync with an incident. remediate: carry a finding's playbook on.
  purpose    text NOT NULL CHECK (purpose IN ('notify', 'remediate')),
  -- Id of the incident or the finding.
  item       text NOT NULL CHECK (item <> ''),
  -- Not before. Of what is claimed, when the claim runs out unless its worker extends it: a dead worker's is due again.
  due_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  claimed_by uuid,
  -- Asked for once more while it was claimed, and from when on.
  again_at   timestamptz CHECK (again_at IS NULL OR claimed_by IS NOT NULL),
  -- Attempts in a row that failed, and why the last one did.
  failures   integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  failure    text,
  PRIMARY KEY (purpose, item)
);
CREATE INDEX queue_due ON queue (purpose, due_at);
-- Few rows that change all the time: what is dead is cleared away soon, or a claim reads all of it.
ALTER TABLE queue SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
