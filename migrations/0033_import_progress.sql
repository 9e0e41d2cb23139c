-- Inventories can be imported again at any time, and whoever asked is shown how far it is.

-- How far the import is: { "repositories": read, "of": how many there are }. Null while nobody has begun, and once it ended.
ALTER TABLE imports ADD COLUMN progress jsonb;
ALTER TABLE imports ADD CONSTRAINT progress_is_told CHECK (progress IS NULL OR jsonb_typeof(progress) = 'object') NOT VALID;
