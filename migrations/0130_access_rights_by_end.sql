-- Requests that were over long ago are deleted, those first that were over first.
CREATE INDEX access_rights_by_end ON access_rights (over_at) WHERE over_at IS NOT NULL;
