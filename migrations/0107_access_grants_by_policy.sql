-- How often a policy was granted within the last hour, and whether it ever was.
CREATE INDEX access_grants_by_policy ON access_grants (workspace, policy, asked_at);
