-- A delivery is known by its id. A body that comes again under another id is kept, and marked beside the record: not under
-- its hash, since it is a conclusion and no part of what was heard. Field docs: packages/db/trail.ts.

-- The event that told this body first in its workspace, under another id; null for a body that was not heard before.
ALTER TABLE trail ADD COLUMN repeats text;

-- Who told each body first, as far back as recording goes since this migration. One index for all days: looking into each
-- day's would cost a record as many look-ups as there are days.
CREATE TABLE trail_bodies (
  -- Half of a SHA-256 over workspace, event type and the body's own hash.
  body     bytea PRIMARY KEY CHECK (octet_length(body) = 16),
  event_id text NOT NULL
);
