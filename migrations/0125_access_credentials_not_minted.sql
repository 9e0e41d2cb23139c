-- What providers refused to make: few, and looked at by each check of health.
CREATE INDEX access_credentials_not_minted ON access_credentials (grant_id) WHERE minted_at IS NULL AND last_fault IS NOT NULL;
