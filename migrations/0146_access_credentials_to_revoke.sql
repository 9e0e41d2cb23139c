-- Each claim of what is due to be revoked read, four times, an entry of the index of all that is alive for every credential that was minted since
-- the last vacuum: the index keeps the entry of a row's former due_at until then.
CREATE INDEX access_credentials_to_revoke ON access_credentials (kind, due_at) WHERE state IN ('ending', 'stuck');
