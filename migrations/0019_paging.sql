-- What a sink was told of pages after the first, and since when a sink takes nothing.

-- The incident's page_generation that was told last: with it PagerDuty's key of the alert changes, so that it rings anew.
ALTER TABLE told ADD COLUMN generation integer NOT NULL DEFAULT 0 CHECK (generation >= 0);
-- Generations of older alerts that are, or may be, open at PagerDuty still, and are to be resolved.
ALTER TABLE told ADD COLUMN superseded integer[] NOT NULL DEFAULT '{}';

-- A row while calls to a sink fail, whatever they tell: for those who look whether people can be told at all.
CREATE TABLE sink_troubles (
  sink     text PRIMARY KEY CHECK (sink IN ('slack', 'pagerduty')),
  -- When the first of the calls in a row failed, and when the last.
  since    timestamptz NOT NULL DEFAULT clock_timestamp(),
  tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Why the last failed: a word of the integration's, such as `no-channel` or `timeout`.
  reason   text NOT NULL CHECK (reason <> ''),
  CONSTRAINT tried_since CHECK (tried_at >= since)
);

-- A page after the first is a reply that the whole channel sees.
ALTER TABLE messages DROP CONSTRAINT messages_kind_check;
ALTER TABLE messages ADD CONSTRAINT messages_kind_check CHECK (kind IN
  ('posted', 'updated', 'thread-reply', 'broadcast', 'folded', 'trigger', 'acknowledge', 'resolve')) NOT VALID;
