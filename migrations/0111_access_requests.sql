-- Rights that people ask for, for minutes.

-- What was asked for, on the command line. Only ever added to, so that what was approved is what was asked.
CREATE TABLE access_requests (
  id         text PRIMARY KEY CHECK (id <> ''),
  workspace  text NOT NULL CHECK (workspace <> ''),
  repository text NOT NULL CHECK (repository <> ''),
  permission text NOT NULL CHECK (permission IN ('read', 'triage', 'write', 'maintain', 'admin')),
  -- Login of who is to have it.
  grantee    text NOT NULL CHECK (grantee <> ''),
  for_ms     integer NOT NULL CHECK (for_ms > 0),
  reason     text NOT NULL CHECK (reason <> ''),
  -- Whoever ran the command, which proves no account of GitHub's.
  asked_by   jsonb NOT NULL,
  asked_at   timestamptz NOT NULL
);

-- Requests that somebody took back or whose right somebody ended before its time.
CREATE TABLE access_request_ends (
  request text PRIMARY KEY REFERENCES access_requests (id),
  by      jsonb NOT NULL,
  at      timestamptz NOT NULL
);

-- What became of each, by the broker alone: new → asked → giving → given → ending → ended; or denied, or expired.
CREATE TABLE access_rights (
  request       text PRIMARY KEY REFERENCES access_requests (id),
  state         text NOT NULL CHECK (state IN ('new', 'asked', 'giving', 'given', 'ending', 'ended', 'denied', 'expired')),
  policy        text CHECK (policy <> ''),
  owner         text CHECK (owner <> ''),
  repository_id text CHECK (repository_id <> ''),
  repository    text CHECK (repository <> ''),
  grantee_id    text CHECK (grantee_id <> ''),
  grantee       text CHECK (grantee <> ''),
  -- What they held themselves before it was given, which they hold again afterwards.
  former        text CHECK (former IN ('none', 'read', 'triage', 'write', 'maintain', 'admin')),
  -- Who approved it, and how they proved who they are; null where the policy asks for nobody's word.
  approved_by   jsonb,
  given_until   timestamptz,
  given_at      timestamptz,
  ending_why    text CHECK (ending_why IN ('longest', 'by-hand', 'not-given')),
  over_at       timestamptz,
  -- Why it was denied, or what else there is to say of its end.
  why           text CHECK (why <> ''),
  due_at        timestamptz NOT NULL,
  tries         integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
  claimed_by    uuid,
  claimed_until timestamptz,
  last_fault    text CHECK (last_fault <> ''),
  CONSTRAINT given_is_recorded CHECK (state NOT IN ('giving', 'given', 'ending') OR (policy IS NOT NULL AND owner IS NOT NULL
    AND repository_id IS NOT NULL AND repository IS NOT NULL AND grantee_id IS NOT NULL AND grantee IS NOT NULL
    AND former IS NOT NULL AND given_until IS NOT NULL)),
  CONSTRAINT endings_say_why CHECK (state <> 'ending' OR ending_why IS NOT NULL),
  CONSTRAINT claims_end CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX access_rights_open ON access_rights (due_at) WHERE state NOT IN ('ended', 'denied', 'expired');
-- One at a time of an account on a repository: what was before the second would be the first.
CREATE UNIQUE INDEX access_rights_one_standing ON access_rights (repository_id, grantee_id) WHERE state IN ('giving', 'given', 'ending');
