-- Questions of GitHub's to the gate: whether a run's deployment to an environment may go on. One row a question, whoever asks how
-- often. A row grants nothing: what is decided is decided anew each time, until it is said.
CREATE TABLE access_gates (
  -- Of the event that asked.
  id            text PRIMARY KEY CHECK (id <> ''),
  workspace     text NOT NULL CHECK (workspace <> ''),
  -- Host of the provider's instance, such as github.com.
  instance      text NOT NULL CHECK (instance <> ''),
  repository_id text NOT NULL CHECK (repository_id ~ '^[1-9][0-9]{0,15}$'),
  repository    text NOT NULL CHECK (repository <> ''),
  owner_id      text NOT NULL CHECK (owner_id <> ''),
  owner         text NOT NULL CHECK (owner <> ''),
  run_id        text NOT NULL CHECK (run_id ~ '^[1-9][0-9]{0,19}$'),
  environment   text NOT NULL CHECK (environment <> ''),
  -- The installation of the App that was asked: it alone can answer.
  installation  text NOT NULL CHECK (installation ~ '^[1-9][0-9]{0,19}$'),
  -- Null for a job that makes no deployment.
  deployment_id text CHECK (deployment_id <> ''),
  heard_at      timestamptz NOT NULL,
  -- Which attempt of the run it is, as GitHub said when it was asked; null until then.
  attempt       integer CHECK (attempt > 0),
  -- answered: GitHub took our word, or says that nothing waits any more. over: nobody waits for a word, or nobody is to get one.
  state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'over')),
  -- What is to be said, and is in the log. A denial stays one.
  decision      text CHECK (decision IN ('granted', 'denied')),
  -- When it was first sent, whether or not an answer came.
  sent_at       timestamptz,
  -- When GitHub was told what it waits for.
  commented_at  timestamptz,
  answered_at   timestamptz,
  tries         integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
  due_at        timestamptz NOT NULL,
  claimed_by    uuid,
  claimed_until timestamptz,
  last_fault    text CHECK (last_fault <> ''),
  CONSTRAINT said_is_decided CHECK (sent_at IS NULL OR decision IS NOT NULL),
  CONSTRAINT claims_end CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);
-- One deployment is asked about once, by however many deliveries.
CREATE UNIQUE INDEX access_gates_by_deployment ON access_gates (instance, repository_id, deployment_id) WHERE deployment_id IS NOT NULL;
CREATE INDEX access_gates_by_run ON access_gates (instance, repository_id, run_id);
CREATE INDEX access_gates_open ON access_gates (due_at) WHERE state = 'open';
CREATE INDEX access_gates_by_age ON access_gates (heard_at);
