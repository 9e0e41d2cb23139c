-- People may also ask to be in a team, or for a role of an organisation. `repository` and its id keep their names, and
-- are of what the right is: a repository, a team, or a role.
ALTER TABLE access_requests ADD COLUMN kind text NOT NULL DEFAULT 'collaborator'
    CHECK (kind IN ('collaborator', 'team-member', 'org-role')),
  DROP CONSTRAINT access_requests_permission_check,
  ADD CONSTRAINT access_requests_permission_check CHECK (permission IN ('read', 'triage', 'write', 'maintain', 'admin',
    'member', 'maintainer', 'holder'));

-- `former` may be a role of the organisation's own. `owner_id`: of the organisation.
ALTER TABLE access_rights ADD COLUMN kind text NOT NULL DEFAULT 'collaborator'
    CHECK (kind IN ('collaborator', 'team-member', 'org-role')),
  ADD COLUMN owner_id text CHECK (owner_id <> ''),
  DROP CONSTRAINT access_rights_former_check,
  ADD CONSTRAINT access_rights_former_check CHECK (former <> '');

DROP INDEX access_rights_one_standing;
CREATE UNIQUE INDEX access_rights_one_standing ON access_rights (kind, repository_id, grantee_id)
  WHERE state IN ('giving', 'given', 'ending');
