-- Silences that people add, what they silenced, and what an incident needs to page anew.

-- A finding that every given matcher fits is told to nobody: by its whole text, or by its beginning where the matcher ends
-- in `*`. Written by packages/db/silences.ts; those of tripline.yaml stand there alone.
CREATE TABLE silences (
  id           text PRIMARY KEY CHECK (id ~ '^SIL-[0-9]+$'),
  workspace    text CHECK (workspace <> ''),
  rule         text CHECK (rule <> ''),
  subject      text CHECK (subject <> ''),
  actor        text CHECK (actor <> ''),
  repository   text CHECK (repository <> ''),
  runner       text CHECK (runner <> ''),
  environment  text CHECK (environment <> ''),
  -- Whether critical findings are silenced too.
  critical     boolean NOT NULL DEFAULT false,
  -- Who answers for it.
  owner        text NOT NULL CHECK (owner <> ''),
  reason       text NOT NULL CHECK (reason <> ''),
  until        timestamptz NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Actor of contracts/incident.ts.
  created_by   jsonb NOT NULL,
  -- Somebody ended it before its time.
  expired_at   timestamptz,
  expired_by   jsonb,
  CONSTRAINT no_silence_for_ever CHECK (until <= created_at + interval '30 days'),
  CONSTRAINT silence_matches_something CHECK (coalesce(rule, subject, actor, repository, runner, environment) IS NOT NULL),
  CONSTRAINT expired_says_who CHECK ((expired_at IS NULL) = (expired_by IS NULL))
);
CREATE SEQUENCE silence_numbers;
CREATE INDEX silences_by_end ON silences (until) WHERE expired_at IS NULL;

-- Findings that nobody heard of, until their silence has ended and what still stands was told.
CREATE TABLE silenced_findings (
  finding   text PRIMARY KEY REFERENCES findings ON DELETE CASCADE,
  workspace text NOT NULL,
  -- Id of the silence; of one of tripline.yaml what `silenced_by` of the finding says.
  silence   text NOT NULL,
  until     timestamptz NOT NULL
);
CREATE INDEX silenced_findings_by_end ON silenced_findings (until);
CREATE INDEX silenced_findings_by_silence ON silenced_findings (silence);

-- When its silence has ended, a finding that still stands joins an incident. Not validated, which would hold up the table:
-- it is what held before, and more.
ALTER TABLE findings ADD CONSTRAINT told_or_was_silenced CHECK (incident IS NOT NULL OR silenced_by IS NOT NULL) NOT VALID;
ALTER TABLE findings DROP CONSTRAINT told_or_silenced;

-- Counts the pages after the first: part of the key by which a pager knows a page, so that a new one rings anew.
ALTER TABLE incidents ADD COLUMN page_generation integer NOT NULL DEFAULT 0;
-- What was acknowledged: how grave it was, and which page.
ALTER TABLE incidents ADD COLUMN acknowledged_severity text;
ALTER TABLE incidents ADD COLUMN acknowledged_generation integer;
ALTER TABLE incidents ADD CONSTRAINT acknowledged_severity_is_one
  CHECK (acknowledged_severity IN ('low', 'medium', 'high', 'critical')) NOT VALID;
ALTER TABLE incidents ADD CONSTRAINT pages_are_counted
  CHECK (page_generation >= 0 AND acknowledged_generation <= page_generation) NOT VALID;

ALTER TABLE incident_events DROP CONSTRAINT incident_events_kind_check;
ALTER TABLE incident_events ADD CONSTRAINT incident_events_kind_check CHECK (kind IN ('opened', 'joined', 'acknowledged',
  'resolved', 'reopened', 'withdrawn', 'told', 'remediated', 'paged')) NOT VALID;
-- A matcher of silences; it joins nothing.
ALTER TABLE incident_entities DROP CONSTRAINT incident_entities_kind_check;
ALTER TABLE incident_entities ADD CONSTRAINT incident_entities_kind_check CHECK (kind IN ('user', 'repository', 'run',
  'runner', 'credential', 'commit', 'grant', 'environment')) NOT VALID;
