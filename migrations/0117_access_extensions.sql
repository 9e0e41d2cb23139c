-- More time for a right that somebody has. What is asked for is only ever added to, as requests are.
CREATE TABLE access_extensions (
  id       text PRIMARY KEY CHECK (id <> ''),
  request  text NOT NULL REFERENCES access_requests (id),
  for_ms   integer NOT NULL CHECK (for_ms > 0),
  reason   text NOT NULL CHECK (reason <> ''),
  asked_by jsonb NOT NULL,
  asked_at timestamptz NOT NULL
);
CREATE INDEX access_extensions_request ON access_extensions (request);

-- What became of each, by the broker alone.
CREATE TABLE access_extension_answers (
  extension   text PRIMARY KEY REFERENCES access_extensions (id),
  state       text NOT NULL CHECK (state IN ('asked', 'given', 'denied', 'expired')),
  -- Who approved it, and how they proved who they are; null where the policy asks for nobody's word.
  approved_by jsonb,
  why         text CHECK (why <> ''),
  at          timestamptz NOT NULL
);

-- When whoever has it was reminded that it ends soon.
ALTER TABLE access_rights ADD COLUMN reminded_at timestamptz;
