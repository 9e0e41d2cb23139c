-- What keeps policies from being in force, as one of a few: what is to be done about it differs. Former versions say none.
ALTER TABLE access_policy_faults
  ADD COLUMN kind text CHECK (kind IN ('unreadable', 'unreviewed', 'review-unknown', 'other-repository', 'unusable'));
