-- How far services/reconciler has read the feeds that are asked instead of posted: a row a feed and what of it is asked.

CREATE TABLE feed_polls (
  -- Its name in packages/sources, and what is asked, such as an organisation.
  feed          text NOT NULL CHECK (feed <> ''),
  target        text NOT NULL CHECK (target <> ''),
  -- When it was to be asked for the first time: the first window begins by it, however long the first page fails.
  begun_at      timestamptz NOT NULL,
  -- Where the next request begins, in the feed's own words; null before the first page. What is before it is in the log.
  cursor        text CHECK (cursor <> '' AND length(cursor) <= 8192),
  -- Whether pages of the present window are left.
  unfinished    boolean NOT NULL DEFAULT false,
  -- When a page was read last, by our clock; null before the first.
  read_at       timestamptz,
  -- Up to when all is read that the provider tells, by its own time; null before the first window is.
  whole_until   timestamptz,
  -- Who asks, and until when nobody else may: a round's lease, and after it the pause until the next round.
  holder        uuid NOT NULL,
  held_until    timestamptz NOT NULL,
  -- Rounds that failed since the last page that was read, when the first and the last of them did, and why, with what to do.
  failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  failing_since timestamptz,
  failed_at     timestamptz,
  failed_kind   text CHECK (failed_kind IN ('retry', 'rate-limited', 'give-up')),
  failed_reason text CHECK (failed_reason <> ''),
  -- The newest time of which the provider kept nothing any more when it was asked, and when that was found.
  lost_from     timestamptz,
  lost_until    timestamptz,
  lost_at       timestamptz,
  PRIMARY KEY (feed, target),
  CONSTRAINT failed_says_why CHECK (
    (failures = 0) = (failing_since IS NULL) AND (failures = 0) = (failed_at IS NULL)
    AND (failures = 0) = (failed_kind IS NULL) AND (failures = 0) = (failed_reason IS NULL)
  ),
  CONSTRAINT lost_is_whole CHECK ((lost_at IS NULL) = (lost_from IS NULL) AND (lost_at IS NULL) = (lost_until IS NULL))
);
