/** What stands at the stand-in by itself, as an organisation has it that never looked: the lists that `access standing` reads. */
type Listed = { login: string; repositories: readonly { id: number; full_name: string }[] };
type Person = { id: number; login: string; type: 'User'; role_name?: string };

const people: Record<string, Person[]> = {
  admin: [{ id: 11, login: 'ada', type: 'User' }],
  member: [{ id: 12, login: 'grace', type: 'User' }],
};
const longAgo = '2024-03-01T09:00:00Z';
const application = 'shop';

/** Lists that hold nothing, by the last part of their path and the name under which GitHub puts their rows; none where they are the answer. */
const empty: readonly [path: RegExp, under?: string][] = [
  [/^\/orgs\/[^/]+\/(?:outside_collaborators|teams|credential-authorizations)$/],
  [/^\/orgs\/[^/]+\/installations$/, 'installations'],
  [/^\/orgs\/[^/]+\/actions\/runner-groups$/, 'runner_groups'],
  [/^\/orgs\/[^/]+\/actions\/runners$/, 'runners'],
  [/^\/orgs\/[^/]+\/organization-roles$/, 'roles'],
  [/^\/(?:orgs\/[^/]+|repos\/[^/]+\/[^/]+)\/(?:dependabot|codespaces|actions)\/secrets$/, 'secrets'],
  [/^\/repos\/[^/]+\/[^/]+\/environments\/[^/]+\/secrets$/, 'secrets'],
  [/^\/repos\/[^/]+\/[^/]+\/environments$/, 'environments'],
  [/^\/repos\/[^/]+\/[^/]+\/environments\/[^/]+\/deployment_protection_rules$/, 'custom_deployment_protection_rules'],
  [/^\/repos\/[^/]+\/[^/]+\/(?:keys|collaborators)$/],
];

/** The body of a list; undefined where it is none. */
export function listedAt(path: string, query: URLSearchParams, { login, repositories }: Listed): unknown {
  const ofApplication = `/repos/${login}/${application}`;
  switch (path) {
    case `/orgs/${login}`:
      return { login, id: 1, default_repository_permission: 'write', two_factor_requirement_enabled: false };
    case `/orgs/${login}/repos`:
      return repositories;
    case `/orgs/${login}/members`:
      return query.has('filter') ? [] : (people[query.get('role') ?? ''] ?? Object.values(people).flat());
    case `/orgs/${login}/actions/oidc/customization/sub`:
      return { include_claim_keys: ['repo', 'context'] };
    case `/orgs/${login}/actions/secrets`: {
      const secret = { name: 'CLOUD_KEY', created_at: longAgo, updated_at: longAgo, visibility: 'all' };
      return { total_count: 1, secrets: [secret] };
    }
    case `${ofApplication}/keys`:
      return [
        {
          ...{ id: 41, title: 'release bot', key: 'ssh-ed25519 AAAA', read_only: false, verified: true },
          ...{ created_at: longAgo, last_used: '2025-01-10T00:00:00Z', added_by: 'ada', enabled: true },
        },
      ];
    case `${ofApplication}/environments`: {
      const production = { id: 5, name: 'production', can_admins_bypass: true, protection_rules: [] };
      return { total_count: 1, environments: [{ ...production, created_at: longAgo, updated_at: longAgo }] };
    }
  }
  const none = empty.find(([form]) => form.test(path));
  if (none === undefined) return undefined;
  return none[1] === undefined ? [] : { total_count: 0, [none[1]]: [] };
}
