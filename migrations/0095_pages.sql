-- What users keep from paging (overrides of tripline.yaml: page) is told to people, and rings nobody.

-- Whether it may page; as the rules' settings said when it was found.
ALTER TABLE findings ADD COLUMN pages boolean NOT NULL DEFAULT true;
-- The gravest severity of those of its findings that may page, `none` where none may. NULL: as `severity`, since all may.
ALTER TABLE incidents ADD COLUMN page_severity text
  CONSTRAINT incidents_page_severity_check CHECK (page_severity IN ('none', 'low', 'medium', 'high', 'critical'));
