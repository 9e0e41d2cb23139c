-- Versions of the policies of access that the broker took from their repository, so that a restart without GitHub goes on by the
-- last one. The newest is in force. A row by itself grants nothing: the broker refuses one whose MAC none of its keys made.
CREATE TABLE access_policies (
  nth           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The repository by its id, and what it was called.
  repository_id text NOT NULL CHECK (repository_id <> ''),
  repository    text NOT NULL CHECK (repository <> ''),
  branch        text NOT NULL CHECK (branch <> ''),
  path          text NOT NULL CHECK (path <> ''),
  -- The commit that was read.
  revision      text NOT NULL CHECK (revision ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
  policies      text NOT NULL,
  lock          text NOT NULL,
  -- Hex, of both texts.
  sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  -- By what the commit is known as reviewed, in words.
  reviewed      text NOT NULL CHECK (reviewed <> ''),
  taken_at      timestamptz NOT NULL DEFAULT now(),
  mac           text NOT NULL CHECK (mac <> '')
);
