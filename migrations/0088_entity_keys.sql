-- Which one an entity is, by the provider's ids: names change hands. Null where no event told an id, and in rows of former versions.
ALTER TABLE incident_entities ADD COLUMN key text;
ALTER TABLE incident_entities ADD CONSTRAINT incident_entities_key_check CHECK (key <> '') NOT VALID;
CREATE INDEX incident_entities_by_key ON incident_entities (workspace, kind, key) WHERE key IS NOT NULL;
