-- Findings, and the incidents that they join. Field docs: packages/contracts/finding.ts and incident.ts.

CREATE TABLE incidents (
  id             text PRIMARY KEY CHECK (id ~ '^INC-[0-9]+$'),
  workspace      text NOT NULL CHECK (workspace <> ''),
  state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
  -- The gravest severity among its findings that are not withdrawn; never falls while it is open.
  severity       text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
  title          text NOT NULL CHECK (char_length(title) <= 300),
  -- Counts every change that people should hear of; a sink is in step when it has told this version.
  version        integer NOT NULL DEFAULT 1 CHECK (version > 0),
  opened_at      timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  acknowledged_at timestamptz,
  acknowledged_by jsonb,
  resolved_at    timestamptz,
  resolved_by    jsonb,
  resolution     text CHECK (resolution IN ('true', 'false', 'accepted')),
  CONSTRAINT acknowledged_says_who CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  CONSTRAINT acknowledged_has_time CHECK (state <> 'acknowledged' OR acknowledged_at IS NOT NULL),
  CONSTRAINT resolved_says_who_and_how CHECK (
    (state = 'resolved') = (resolved_at IS NOT NULL AND resolved_by IS NOT NULL AND resolution IS NOT NULL)
    AND (resolved_at IS NULL) = (resolution IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL))
);
CREATE SEQUENCE incident_numbers;
CREATE INDEX incidents_open ON incidents (workspace, updated_at DESC) WHERE state <> 'resolved';

-- The things that an incident is about; a finding that shares one joins it.
CREATE TABLE incident_entities (
  incident   text NOT NULL REFERENCES incidents ON DELETE CASCADE,
  workspace  text NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('user', 'repository', 'run', 'runner', 'credential', 'commit', 'grant')),
  entity     text NOT NULL CHECK (entity <> ''),
  PRIMARY KEY (incident, kind, entity)
);
CREATE INDEX incident_entities_by_entity ON incident_entities (workspace, kind, entity);

CREATE TABLE findings (
  id             text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),
  -- Null only for a silenced finding: nobody is to hear of it, so it opens and joins nothing.
  incident       text REFERENCES incidents,
  rule           text NOT NULL CHECK (rule <> ''),
  workspace      text NOT NULL CHECK (workspace <> ''),
  subject        text NOT NULL CHECK (subject <> ''),
  occasion       text NOT NULL CHECK (occasion <> ''),
  severity       text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
  confidence     text NOT NULL CHECK (confidence IN ('low', 'medium', 'high')),
  title          text NOT NULL CHECK (char_length(title) <= 300),
  summary        text NOT NULL,
  deciding_event text NOT NULL CHECK (deciding_event <> ''),
  occurred_at    timestamptz NOT NULL,
  detected_at    timestamptz NOT NULL,
  -- Wall clock of the commit; the only field that a replay gives anew.
  recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  evidence       jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'array'),
  entities       jsonb NOT NULL CHECK (jsonb_typeof(entities) = 'array'),
  response       jsonb NOT NULL CHECK (jsonb_typeof(response) = 'array'),
  remedy         jsonb NOT NULL CHECK (jsonb_typeof(remedy) = 'array'),
  silence        text NOT NULL,
  attack         text[] NOT NULL,
  attack_version text NOT NULL,
  owasp          text[] NOT NULL,
  -- Why nobody was told: the silence of tripline.yaml that matched. Null when people were told.
  silenced_by    text,
  -- Late evidence explained it. Null while it stands.
  withdrawn_at     timestamptz,
  withdrawn_reason text,
  CONSTRAINT told_or_silenced CHECK ((incident IS NULL) = (silenced_by IS NOT NULL)),
  CONSTRAINT withdrawn_says_why CHECK ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL)),
  CONSTRAINT one_per_occasion UNIQUE (workspace, rule, subject, occasion)
);
CREATE INDEX findings_by_incident ON findings (incident, detected_at);
CREATE INDEX findings_newest ON findings (recorded_at DESC);

-- What happened to an incident, in order: its story for people and for audit.
CREATE TABLE incident_events (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident  text NOT NULL REFERENCES incidents ON DELETE CASCADE,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind      text NOT NULL CHECK (kind IN ('opened', 'joined', 'acknowledged', 'resolved', 'reopened', 'withdrawn', 'told', 'remediated')),
  -- Actor of contracts/incident.ts; tripline itself where no person acted.
  actor     jsonb NOT NULL,
  detail    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX incident_events_by_incident ON incident_events (incident, id);
