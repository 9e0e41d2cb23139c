-- What people were told of incidents, where, and what is under way. Field docs: packages/db/tables/messages.ts.

-- One row per (incident, sink), and one per digest that a storm was folded into.
CREATE TABLE told (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Null for a digest: it stands for the incidents whose `digest` is its id.
  incident      text REFERENCES incidents ON DELETE CASCADE,
  sink          text NOT NULL CHECK (sink IN ('slack', 'pagerduty')),
  mode          text NOT NULL CHECK (mode IN ('live', 'dry-run')),
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The incident's version that was told last; 0 before the first.
  version       integer NOT NULL DEFAULT 0 CHECK (version >= 0),
  -- The incident's state that was told last; null before the first.
  state         text CHECK (state IN ('open', 'acknowledged', 'resolved')),
  -- The last of incident_events that the thread tells of.
  story         bigint NOT NULL DEFAULT 0,
  told_at       timestamptz,
  -- Slack's name of the message; null in a dry run and before it was posted.
  channel       text,
  ts            text,
  -- PagerDuty's name of the alert; null before it was triggered.
  dedup_key     text,
  digest        bigint REFERENCES told,
  -- Who is telling now. No lock is held meanwhile: a claim that is not renewed runs out.
  claimed_by    uuid,
  claimed_until timestamptz,
  -- What was about to be sent. Set without a live claim, nobody knows whether it was.
  intent        text,
  -- Calls in a row that did not succeed, and why the last did not.
  failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  failure       text,
  CONSTRAINT one_per_incident_and_sink UNIQUE (incident, sink),
  CONSTRAINT claim_has_end CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
  CONSTRAINT slack_names_both CHECK ((channel IS NULL) = (ts IS NULL)),
  CONSTRAINT reference_of_its_sink CHECK (
    (ts IS NULL OR sink = 'slack') AND (dedup_key IS NULL OR sink = 'pagerduty')),
  CONSTRAINT digests_are_slack CHECK (incident IS NOT NULL OR (sink = 'slack' AND digest IS NULL)),
  CONSTRAINT folded_is_not_posted CHECK (digest IS NULL OR (sink = 'slack' AND ts IS NULL))
);
-- What waits for its first message: counted before each post, so that a storm is seen.
CREATE INDEX told_waiting ON told (id) WHERE sink = 'slack' AND version = 0 AND digest IS NULL AND incident IS NOT NULL;
CREATE INDEX told_by_digest ON told (digest) WHERE digest IS NOT NULL;
-- The sweep looks for incidents that changed lately and were not told.
CREATE INDEX incidents_changed ON incidents (updated_at);

CREATE TABLE messages (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Null for the digest message itself; each incident in it has a row of its own, `folded`.
  incident  text REFERENCES incidents ON DELETE CASCADE,
  telling   bigint NOT NULL REFERENCES told ON DELETE CASCADE,
  sink      text NOT NULL CHECK (sink IN ('slack', 'pagerduty')),
  kind      text NOT NULL CHECK (kind IN ('posted', 'updated', 'thread-reply', 'folded', 'trigger', 'acknowledge', 'resolve')),
  mode      text NOT NULL CHECK (mode IN ('live', 'dry-run')),
  -- The incident's version that it tells.
  version   integer NOT NULL CHECK (version >= 0),
  -- Nobody knew whether the same had been sent just before; the message says so.
  possibly_repeated boolean NOT NULL DEFAULT false,
  body      jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object'),
  sent_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT kind_of_its_sink CHECK ((sink = 'pagerduty') = (kind IN ('trigger', 'acknowledge', 'resolve')))
);
CREATE INDEX messages_by_incident ON messages (incident, id);
