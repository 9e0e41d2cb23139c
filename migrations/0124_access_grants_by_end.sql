-- What ended long ago is deleted, those first that ended first.
CREATE INDEX access_grants_by_end ON access_grants (ending_at) WHERE ending_at IS NOT NULL;
