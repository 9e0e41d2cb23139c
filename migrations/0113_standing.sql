-- What stands by itself at GitHub, as the broker's daily look found it, and what of it the log was told.

-- When each organisation was looked at last: whoever of several brokers writes it, looks.
CREATE TABLE standing_looks (
  organization text PRIMARY KEY CHECK (organization <> ''),
  workspace    text NOT NULL CHECK (workspace <> ''),
  looked_at    timestamptz NOT NULL,
  -- The last look that was told to its end.
  whole_at     timestamptz,
  -- Why the last one was not.
  fault        text CHECK (fault <> '')
);

CREATE TABLE standing_privileges (
  organization text NOT NULL REFERENCES standing_looks (organization),
  -- By which it is the same at the next look (Standing of packages/access).
  id           text NOT NULL CHECK (id <> ''),
  kind         text NOT NULL CHECK (kind <> ''),
  row          jsonb NOT NULL CHECK (jsonb_typeof(row) = 'object'),
  -- Hex SHA-256 of what the log was told of it last, and when.
  told_sha256  text NOT NULL CHECK (told_sha256 ~ '^[0-9a-f]{64}$'),
  told_at      timestamptz NOT NULL,
  PRIMARY KEY (organization, id)
);
