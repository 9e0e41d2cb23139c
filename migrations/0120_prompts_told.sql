-- Whoever is asked for a second factor is written to, by the notifier.

ALTER TABLE queue DROP CONSTRAINT queue_purpose_check,
  ADD CONSTRAINT queue_purpose_check CHECK (purpose IN ('notify', 'remediate', 'prompt'));

-- The address of the page on which it is answered. Null where nobody is to be written to.
ALTER TABLE access_step_ups ADD COLUMN link text CHECK (link <> '');
