-- Who at the OpenID provider is whom at GitHub, as people showed by signing in at both, and another confirmed.
CREATE TABLE access_links (
  id            text PRIMARY KEY CHECK (id <> ''),
  -- Made from a prompt of this workspace, which is told of it.
  workspace     text NOT NULL CHECK (workspace <> ''),
  -- The page on which it is confirmed, and what whoever asks for it tells whoever confirms it.
  confirm_key   text NOT NULL UNIQUE CHECK (confirm_key <> ''),
  number        text NOT NULL CHECK (number ~ '^[0-9]{4}$'),
  wrong_numbers integer NOT NULL DEFAULT 0 CHECK (wrong_numbers >= 0),
  instance      text NOT NULL CHECK (instance <> ''),
  account_id    text NOT NULL CHECK (account_id <> ''),
  account_name  text NOT NULL CHECK (account_name <> ''),
  issuer        text NOT NULL CHECK (issuer <> ''),
  subject       text NOT NULL CHECK (subject <> ''),
  -- As the provider calls them, for people to read.
  subject_name  text CHECK (subject_name <> ''),
  made_at       timestamptz NOT NULL,
  confirmed_by  jsonb,
  confirmed_at  timestamptz,
  ended_at      timestamptz,
  CONSTRAINT link_confirmations_say_who CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL))
);
-- Nobody is two people, on either side.
CREATE UNIQUE INDEX access_links_by_account ON access_links (instance, account_id) WHERE confirmed_at IS NOT NULL AND ended_at IS NULL;
CREATE UNIQUE INDEX access_links_by_subject ON access_links (issuer, subject) WHERE confirmed_at IS NOT NULL AND ended_at IS NULL;
