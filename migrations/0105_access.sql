-- The broker: what the log knows of jobs, whose tokens were spent, and what was given.

-- Runs of the repositories that policies name, as the detector's facts have them: written in the transaction of the batch that
-- told of it, read by the broker. Never proof by itself: what is not here is unknown.
CREATE TABLE known_runs (
  workspace  text NOT NULL CHECK (workspace <> ''),
  -- Key of the run in packages/facts.
  run        text NOT NULL CHECK (run <> ''),
  -- Each of its jobs (LoggedJob of packages/access).
  jobs       jsonb NOT NULL CHECK (jsonb_typeof(jobs) = 'array'),
  -- Append time of the batch that told it last.
  told_at    timestamptz NOT NULL,
  PRIMARY KEY (workspace, run)
);
CREATE INDEX known_runs_by_age ON known_runs (told_at);

-- Id tokens that were shown and count no more: each is good once.
CREATE TABLE access_spent (
  issuer       text NOT NULL CHECK (issuer <> ''),
  -- Hex SHA-256 of what makes the token one (Workload.tokenId).
  token_sha256 text NOT NULL CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
  -- When the token expires by itself, after which the row is of no more use.
  expires_at   timestamptz NOT NULL,
  PRIMARY KEY (issuer, token_sha256)
);
CREATE INDEX access_spent_by_expiry ON access_spent (expires_at);

-- Ends of jobs and runs that the broker heard, whether or not anything was given to them: a request that comes later gets nothing.
CREATE TABLE access_ends (
  -- Of the job (provider/instance/repository/run/attempt/check run) or of the run (provider/instance/repository/run/attempt).
  key      text PRIMARY KEY CHECK (key <> ''),
  ended_at timestamptz NOT NULL,
  heard_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX access_ends_by_age ON access_ends (heard_at);

-- What a job asked for and was given, as one: a policy's credentials.
CREATE TABLE access_grants (
  id              text PRIMARY KEY CHECK (id <> ''),
  workspace       text NOT NULL CHECK (workspace <> ''),
  policy          text NOT NULL CHECK (policy <> ''),
  policy_sha256   text NOT NULL CHECK (policy_sha256 ~ '^[0-9a-f]{64}$'),
  policy_revision text CHECK (policy_revision <> ''),
  tier            text NOT NULL CHECK (tier <> ''),
  job_key         text NOT NULL CHECK (job_key <> ''),
  run_key         text NOT NULL CHECK (run_key <> ''),
  -- Who asked, as the token proves (Workload without its proof), for events and for people.
  job             jsonb NOT NULL,
  -- Keys of the entities that it is of: repository, run, commit, person, machine; an incident that names one of them may end it.
  things          text[] NOT NULL DEFAULT '{}',
  until           text NOT NULL CHECK (until IN ('job', 'run')),
  on_incident     text NOT NULL CHECK (on_incident IN ('atOnce', 'afterJob')),
  asked_at        timestamptz NOT NULL DEFAULT now(),
  -- Then it dies though the job runs.
  longest_until   timestamptz NOT NULL,
  -- Since when and why it is to end; null while it is not.
  ending_at       timestamptz,
  ending_why      text CHECK (ending_why <> ''),
  CONSTRAINT ending_says_why CHECK ((ending_at IS NULL) = (ending_why IS NULL))
);
CREATE INDEX access_grants_by_job ON access_grants (job_key);
CREATE INDEX access_grants_by_run ON access_grants (run_key);
CREATE INDEX access_grants_standing ON access_grants (longest_until) WHERE ending_at IS NULL;

-- Each credential of a grant. minting → live → ending → dead; minting → lost (nobody was given it); ending → stuck → dead.
CREATE TABLE access_credentials (
  grant_id     text NOT NULL REFERENCES access_grants (id),
  nth          integer NOT NULL CHECK (nth >= 0),
  kind         text NOT NULL CHECK (kind IN ('github', 'aws', 'vault', 'gitlab')),
  -- What it may do, as the policy's `give` says.
  scope        jsonb NOT NULL,
  state        text NOT NULL CHECK (state IN ('minting', 'live', 'ending', 'stuck', 'dead', 'lost')),
  -- By which its provider revokes it, where that takes no value of it.
  handle       jsonb,
  -- Its value, sealed, where its provider revokes it for whoever bears it alone; empty once it is dead.
  sealed       bytea,
  -- As the provider's audit log names it: base64 SHA-256, access key id, accessor.
  token_hash   text CHECK (token_hash <> ''),
  minted_at    timestamptz,
  expires_at   timestamptz,
  -- The provider said that it is dead.
  dead_at      timestamptz,
  attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- When it is to be revoked, tried again or looked at, and by whom until when.
  due_at       timestamptz NOT NULL DEFAULT now(),
  claimed_by   uuid,
  claimed_until timestamptz,
  last_fault   text CHECK (last_fault <> ''),
  PRIMARY KEY (grant_id, nth),
  CONSTRAINT live_is_recorded CHECK (state IN ('minting', 'lost', 'dead') OR (token_hash IS NOT NULL AND expires_at IS NOT NULL)),
  CONSTRAINT dead_holds_nothing CHECK (state <> 'dead' OR (sealed IS NULL AND dead_at IS NOT NULL)),
  CONSTRAINT claims_end CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX access_credentials_alive ON access_credentials (due_at) WHERE state NOT IN ('dead', 'lost');
CREATE INDEX access_credentials_by_hash ON access_credentials (token_hash);
