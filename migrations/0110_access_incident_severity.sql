-- From which severity on an open incident that names one of its things ends a grant: what its policy's needs say. Null where they say
-- nothing: then high, and only what was opened since it was asked for, since its policy does not mind what was open before.
ALTER TABLE access_grants ADD COLUMN incident_severity text
  CONSTRAINT incident_severity_is_one CHECK (incident_severity IN ('low', 'medium', 'high', 'critical'));
