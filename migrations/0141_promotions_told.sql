-- What the log was told of each environment from which policies let commits come to another: told as policies come into force, again within
-- a week, and once more when no policy is for it.
CREATE TABLE access_promotions_told (
  workspace   text NOT NULL CHECK (workspace <> ''),
  -- The provider's id, and the name that the policies have for it.
  repository_id text NOT NULL CHECK (repository_id <> ''),
  repository  text NOT NULL CHECK (repository <> ''),
  environment text NOT NULL CHECK (environment <> ''),
  -- Hex SHA-256 of what was told last, and when.
  told_sha256 text NOT NULL CHECK (told_sha256 ~ '^[0-9a-f]{64}$'),
  told_at     timestamptz NOT NULL,
  PRIMARY KEY (workspace, repository_id, environment)
);
