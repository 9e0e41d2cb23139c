-- What services/reconciler knows of how much each feed tells each workspace: by it, a silence is told from a quiet hour.
CREATE TABLE feed_watch (
  workspace    text NOT NULL CHECK (workspace <> ''),
  feed         text NOT NULL CHECK (feed <> ''),
  -- Since when it is watched.
  begun_at     timestamptz NOT NULL,
  -- Append time of the newest event that was counted; null before the first.
  last_at      timestamptz,
  -- Events by hour since the epoch, of the last five weeks; hours without any are absent.
  counts       jsonb NOT NULL DEFAULT '{}',
  -- Why it counts as silent (tripline.feed.silence), and since when; null while it does not.
  silence      text CHECK (silence <> ''),
  silent_since timestamptz,
  PRIMARY KEY (workspace, feed),
  CONSTRAINT silence_says_since CHECK ((silence IS NULL) = (silent_since IS NULL))
);
