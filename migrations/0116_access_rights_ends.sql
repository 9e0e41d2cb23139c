-- What else ends rights of people: an open incident that names them, and policies that allow them no longer.
ALTER TABLE access_rights DROP CONSTRAINT access_rights_ending_why_check,
  ADD CONSTRAINT access_rights_ending_why_check
    CHECK (ending_why IN ('longest', 'by-hand', 'not-given', 'incident', 'policy')),
  -- Since when it is to be over, and when the log was told that it was not after a minute.
  ADD COLUMN ending_at timestamptz,
  ADD COLUMN outlived_at timestamptz;
