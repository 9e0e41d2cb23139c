-- What was done, or would have been done, about findings; and the switch that stops it all.

CREATE TABLE remediations (
  finding      text NOT NULL REFERENCES findings ON DELETE CASCADE,
  -- Place in the finding's playbook, from 0.
  ordinal      integer NOT NULL CHECK (ordinal >= 0),
  workspace    text NOT NULL CHECK (workspace <> ''),
  action       text NOT NULL CHECK (action IN ('cancel-run', 'remove-runner', 'cancel-invitation', 'withdraw-grant',
                                               'delete-deploy-key', 'revoke-fine-grained-pat')),
  -- Code of the action in the response catalogue, such as A1.
  code         text NOT NULL CHECK (code ~ '^A[0-9]+[a-z]?$'),
  -- The step of contracts/response.ts, whole.
  target       jsonb NOT NULL CHECK (target ->> 'action' = action),
  -- How remediation was configured when the step was planned: `live` acts where the guard says so.
  mode         text NOT NULL CHECK (mode IN ('dry-run', 'live')),
  -- The request that the step stands for: method, path, body. Bears no credential.
  request      jsonb NOT NULL,
  -- planned → acting → done | failed; planned → refused (a dry run is a refusal, as the verdict says). `acting`: the
  -- request may have been sent; whoever finds it so asks GitHub before sending it again.
  state        text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'acting', 'done', 'failed', 'refused')),
  -- What the guard said last. Null until it was asked.
  verdict      text CHECK (verdict IN ('act', 'dry-run', 'not-in-policy', 'break-glass', 'rate-capped', 'kill-switch',
                                       'not-configured', 'withdrawn')),
  -- How often the step was begun.
  attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- Who works on it until when; null when nobody does. Past it, the worker is taken for dead.
  leased_until timestamptz,
  -- Bounded reason of the last outcome or refusal, and a sentence about it with what GitHub said.
  reason       text CHECK (reason ~ '^[a-z][a-z-]*$'),
  said         text CHECK (char_length(said) <= 1000),
  -- What GitHub answered when it was asked afterwards whether the thing is dead. Null until it was asked.
  check_result text CHECK (check_result IN ('dead', 'alive', 'unknown')),
  check_said   text CHECK (char_length(check_said) <= 1000),
  planned_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When it was begun last; counted by the rate cap.
  acted_at     timestamptz,
  settled_at   timestamptz,
  PRIMARY KEY (finding, ordinal),
  CONSTRAINT once_per_finding UNIQUE (finding, action, target),
  CONSTRAINT begun_has_time CHECK ((attempts > 0) = (acted_at IS NOT NULL)),
  CONSTRAINT begun_when_acted CHECK (state NOT IN ('acting', 'done', 'failed') OR attempts > 0),
  CONSTRAINT a_dry_run_never_acts CHECK (mode = 'live' OR (attempts = 0 AND state IN ('planned', 'refused'))),
  CONSTRAINT acts_only_when_allowed CHECK (state NOT IN ('acting', 'done', 'failed') OR verdict = 'act'),
  CONSTRAINT refused_says_why CHECK (state <> 'refused' OR (verdict IS NOT NULL AND verdict <> 'act')),
  CONSTRAINT settled_has_time CHECK ((state IN ('done', 'failed', 'refused')) = (settled_at IS NOT NULL)),
  CONSTRAINT leased_while_acting CHECK (leased_until IS NULL OR state = 'acting')
);
CREATE INDEX remediations_begun ON remediations (workspace, action, acted_at) WHERE acted_at IS NOT NULL;
CREATE INDEX remediations_open ON remediations (leased_until) WHERE state IN ('planned', 'acting');

-- Switches that people throw without a deploy. `remediation`: stopped, no request that changes anything is sent.
CREATE TABLE switches (
  name    text PRIMARY KEY CHECK (name IN ('remediation')),
  stopped boolean NOT NULL,
  -- Actor of contracts/incident.ts.
  by      jsonb NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason  text NOT NULL CHECK (reason <> '')
);

-- Day-one imports of what was already true, one per workspace.
CREATE TABLE imports (
  workspace    text PRIMARY KEY CHECK (workspace <> ''),
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When all of it was in the log; null before.
  imported_at  timestamptz,
  -- How many of each kind were found: runners, heads, members, deployKeys, installations. Null before.
  counts       jsonb,
  -- Why the last attempt failed, with what to do about it; null when none did since the last success.
  failed_at     timestamptz,
  failed_reason text,
  CONSTRAINT imported_says_what CHECK ((imported_at IS NULL) = (counts IS NULL)),
  CONSTRAINT failed_says_why CHECK ((failed_at IS NULL) = (failed_reason IS NULL))
);
