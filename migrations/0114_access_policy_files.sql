-- Texts of the files that the policies name, by their path there, of the same commit: what narrows a role of AWS further. The MAC covers them.
ALTER TABLE access_policies ADD COLUMN files jsonb NOT NULL DEFAULT '{}'
  CONSTRAINT access_policies_files_check CHECK (jsonb_typeof(files) = 'object');
