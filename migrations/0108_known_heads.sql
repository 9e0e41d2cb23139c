-- Commits that were heads of the branch in which policies of access lie, as the detector's facts have them: written as known_runs is.
CREATE TABLE known_heads (
  workspace  text NOT NULL CHECK (workspace <> ''),
  -- Key of the repository in packages/facts.
  repository text NOT NULL CHECK (repository <> ''),
  revision   text NOT NULL CHECK (revision <> ''),
  -- What stood there before its push; null where nothing did.
  before     text CHECK (before <> ''),
  reviewed   text NOT NULL CHECK (reviewed IN ('reviewed', 'unreviewed', 'unknown')),
  why        text NOT NULL,
  told_at    timestamptz NOT NULL,
  PRIMARY KEY (workspace, repository, revision)
);

-- What keeps the newest policies from being in force, a row for each place that policies are read from; none while nothing does.
CREATE TABLE access_policy_faults (
  place    text PRIMARY KEY CHECK (place <> ''),
  revision text CHECK (revision <> ''),
  fault    text NOT NULL CHECK (fault <> ''),
  since    timestamptz NOT NULL DEFAULT now()
);
