-- Second factors that people prove for single runs.

-- Somebody is asked to stand for one run; its id is the link that the job's log shows.
CREATE TABLE access_step_ups (
  id            text PRIMARY KEY CHECK (id <> ''),
  workspace     text NOT NULL CHECK (workspace <> ''),
  -- Hex SHA-256 of what it is for: run with attempt, commit, environment, policy and what that gives.
  binding       text NOT NULL CHECK (binding ~ '^[0-9a-f]{64}$'),
  -- Of whom it is asked: one account, or a policy's owners. There is one open prompt at a time for each.
  asked         text NOT NULL CHECK (asked <> ''),
  -- What the page shows, and who may answer.
  shown         jsonb NOT NULL CHECK (jsonb_typeof(shown) = 'object'),
  -- Stands in the job's log, and is typed on the page: whoever did not start the run does not know it.
  number        text NOT NULL CHECK (number ~ '^[0-9]{4}$'),
  wrong_numbers integer NOT NULL DEFAULT 0 CHECK (wrong_numbers >= 0),
  state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'refused', 'closed')),
  asked_at      timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  -- Who answered, by account, and how they proved who they are.
  answered_by   jsonb,
  answered_at   timestamptz,
  proved_at     timestamptz,
  method        text CHECK (method IN ('oidc', 'passkey')),
  phishing_resistant boolean,
  CONSTRAINT answers_say_who CHECK ((state IN ('approved', 'refused')) = (answered_by IS NOT NULL AND answered_at IS NOT NULL
    AND proved_at IS NOT NULL AND method IS NOT NULL AND phishing_resistant IS NOT NULL))
);
CREATE UNIQUE INDEX access_step_ups_one_open ON access_step_ups (workspace, asked) WHERE state = 'open';
CREATE INDEX access_step_ups_by_binding ON access_step_ups (binding);
CREATE INDEX access_step_ups_by_age ON access_step_ups (asked_at);

-- Passkeys with which people prove who they are. One counts once another person has confirmed it.
CREATE TABLE access_passkeys (
  -- Id of the credential, base64url.
  id            text PRIMARY KEY CHECK (id <> ''),
  -- Made from a prompt of this workspace, which is told of it.
  workspace     text NOT NULL CHECK (workspace <> ''),
  -- The link under which it is confirmed.
  confirm_key   text NOT NULL UNIQUE CHECK (confirm_key <> ''),
  instance      text NOT NULL CHECK (instance <> ''),
  account_id    text NOT NULL CHECK (account_id <> ''),
  account_name  text NOT NULL CHECK (account_name <> ''),
  -- COSE.
  public_key    bytea NOT NULL,
  -- How often it was used, as it says itself; one that goes back is a copy.
  counter       bigint NOT NULL CHECK (counter >= 0),
  made_at       timestamptz NOT NULL,
  confirmed_by  jsonb,
  confirmed_at  timestamptz,
  last_used_at  timestamptz,
  ended_at      timestamptz,
  CONSTRAINT confirmations_say_who CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL))
);
CREATE INDEX access_passkeys_by_account ON access_passkeys (instance, account_id);
