-- Events that a room leaves for the log in the transaction that changes what they tell of, so that a change and its event
-- cannot part. The detector's worker signs them, appends them to the log in the order of `id`, and deletes them: at least
-- once, and a repeat is a duplicate by its event id. Written by packages/db/outbox.ts.
CREATE TABLE outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id   text NOT NULL CHECK (event_id <> ''),
  event_type text NOT NULL CHECK (event_type <> ''),
  workspace  text NOT NULL CHECK (workspace <> ''),
  source     text NOT NULL CHECK (source <> ''),
  -- When it happened: by Postgres's clock, unless the room knew better.
  at         timestamptz NOT NULL,
  data       json NOT NULL CHECK (json_typeof(data) = 'object')
);
