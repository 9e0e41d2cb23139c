-- What somebody once proved who they are by may end, and what they approved by it with it.

-- By what whoever answered proved who they are: a passkey's id. Null where the OpenID provider and the settings say it.
ALTER TABLE access_step_ups ADD COLUMN rests_on text CHECK (rests_on <> '');

-- Passkeys that somebody ended. Only ever added to by the command line: whoever may write this makes nothing count.
CREATE TABLE access_proof_ends (
  proof  text PRIMARY KEY CHECK (proof <> ''),
  by     jsonb NOT NULL,
  reason text NOT NULL CHECK (reason <> ''),
  at     timestamptz NOT NULL
);
