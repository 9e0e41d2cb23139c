-- Findings that rest on a delivery which nobody can vouch for yet, and what is asked about such deliveries.

-- The delivery that it rests on repeats a body, and the provider's list has not named it: nothing is done by itself.
ALTER TABLE findings ADD COLUMN unproven boolean NOT NULL DEFAULT false;
-- It stands, but nobody is paged for it and nothing is done: what would explain it, or what told of it, is not proved.
-- Null unless it was lowered; `severity` is `low` from then on.
ALTER TABLE findings ADD COLUMN lowered_at timestamptz;
ALTER TABLE findings ADD COLUMN lowered_reason text;
ALTER TABLE findings ADD CONSTRAINT lowered_says_why
  CHECK ((lowered_at IS NULL) = (lowered_reason IS NULL) AND (lowered_at IS NULL OR severity = 'low'));

ALTER TABLE incident_events DROP CONSTRAINT incident_events_kind_check;
ALTER TABLE incident_events ADD CONSTRAINT incident_events_kind_check CHECK (kind IN ('opened', 'joined', 'acknowledged',
  'resolved', 'reopened', 'withdrawn', 'told', 'remediated', 'paged', 'proven', 'lowered')) NOT VALID;

-- Deliveries whose body was heard before under another id, about which the provider's list is asked. Left by the detector
-- in the transaction that judged them, answered by services/reconciler through the outbox.
CREATE TABLE delivery_questions (
  workspace   text NOT NULL CHECK (workspace <> ''),
  -- Id of the event: `github:<X-GitHub-Delivery>`.
  event_id    text NOT NULL,
  -- Who says that it is theirs, such as `//github.com/acme`.
  source      text NOT NULL,
  -- The provider's word for the event, where it is known: a webhook may be subscribed to some and not to others.
  event       text,
  -- When the log took it in.
  heard_at    timestamptz NOT NULL,
  asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Webhooks whose list was read whole past that time and does not name it.
  looked      text[] NOT NULL DEFAULT '{}',
  -- Null while it is open.
  proof       text CHECK (proof IN ('listed', 'not-listed', 'unavailable')),
  answered_at timestamptz,
  PRIMARY KEY (workspace, event_id),
  CONSTRAINT answered_says_what CHECK ((proof IS NULL) = (answered_at IS NULL))
);
CREATE INDEX delivery_questions_open ON delivery_questions (heard_at) WHERE proof IS NULL;

-- Which events of a workspace a webhook's list is known to name: it has named one that stands in the trail. Only such a
-- list says anything by its silence.
CREATE TABLE hook_coverage (
  hook      text NOT NULL REFERENCES hooks ON DELETE CASCADE,
  workspace text NOT NULL CHECK (workspace <> ''),
  event     text NOT NULL,
  PRIMARY KEY (hook, workspace, event)
);
