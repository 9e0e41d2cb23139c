-- Findings that grow, are excepted or superseded.

-- Whose exception of tripline.yaml covers it: {owner, reason, until}. It is told to nobody and acted upon never.
ALTER TABLE findings ADD COLUMN excepted jsonb;
-- The finding of a narrower rule that says the same and more.
ALTER TABLE findings ADD COLUMN superseded_by text;

-- A former version's findings have neither, so its rows pass as before.
ALTER TABLE findings DROP CONSTRAINT told_or_was_silenced;
ALTER TABLE findings ADD CONSTRAINT told_or_was_silenced
  CHECK (incident IS NOT NULL OR silenced_by IS NOT NULL OR excepted IS NOT NULL OR superseded_by IS NOT NULL) NOT VALID;

ALTER TABLE incident_events DROP CONSTRAINT incident_events_kind_check;
ALTER TABLE incident_events ADD CONSTRAINT incident_events_kind_check CHECK (kind IN ('opened', 'joined', 'acknowledged',
  'resolved', 'reopened', 'withdrawn', 'told', 'remediated', 'paged', 'proven', 'lowered', 'grown')) NOT VALID;
