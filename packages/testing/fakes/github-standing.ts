import { type FakeAnswer, startFakeService } from '../integration.conformance.ts';

/** An organisation of one repository in which something of every kind stands. By path without query; `filter` and `role` as a suffix. */
export function standingAnswers(): Record<string, unknown> {
  const person = (login: string, id: number) => ({ login, id, type: 'User' });
  const secret = (name: string, more: object = {}) => ({
    name,
    created_at: '2024-01-02T00:00:00Z',
    updated_at: '2025-01-02T00:00:00Z',
    ...more,
  });
  return {
    '/orgs/acme/personal-access-tokens': [
      {
        ...{ id: 25, token_id: 99, token_name: 'deploys', owner: person('ada', 1) },
        ...{ repository_selection: 'subset', permissions: { repository: { contents: 'write', metadata: 'read' } } },
        ...{ access_granted_at: '2025-03-01T08:00:00Z', token_expired: false, token_expires_at: null },
        token_last_used_at: '2026-11-01T08:00:00Z',
      },
      {
        ...{ id: 26, token_id: 98, token_name: 'gone', owner: person('ada', 1) },
        ...{ repository_selection: 'all', permissions: {}, access_granted_at: '2025-03-01T08:00:00Z' },
        ...{ token_expired: true, token_expires_at: '2025-04-01T08:00:00Z', token_last_used_at: null },
      },
    ],
    '/orgs/acme/personal-access-tokens/25/repositories': [{ full_name: 'acme/api' }],
    '/orgs/acme/installations': {
      installations: [
        {
          ...{ id: 7, app_slug: 'helper', repository_selection: 'all', created_at: '2024-06-01T00:00:00Z' },
          ...{ permissions: { members: 'write', contents: 'read' }, suspended_at: null },
        },
      ],
    },
    '/orgs/acme/actions/oidc/customization/sub': { include_claim_keys: ['repo', 'context'] },
    '/orgs/acme': {
      id: 65,
      login: 'acme',
      default_repository_permission: 'write',
      two_factor_requirement_enabled: false,
    },
    '/orgs/acme/members?filter=2fa_disabled': [person('bob', 2)],
    '/orgs/acme/members?filter=2fa_insecure': [person('bob', 2)],
    '/orgs/acme/members?role=admin': [person('ada', 1)],
    '/orgs/acme/members?role=member': [person('bob', 2)],
    '/orgs/acme/outside_collaborators?filter=2fa_disabled': [],
    '/orgs/acme/outside_collaborators?filter=2fa_insecure': [],
    '/orgs/acme/outside_collaborators': [person('eve', 3)],
    '/orgs/acme/teams': [
      { id: 4, slug: 'core' },
      { id: 5, slug: 'readers' },
    ],
    '/orgs/acme/teams/core/repos': [{ full_name: 'acme/api', permissions: { pull: true, push: true, admin: false } }],
    '/orgs/acme/teams/readers/repos': [{ full_name: 'acme/api', permissions: { pull: true } }],
    '/orgs/acme/organization-roles': {
      roles: [{ id: 8, name: 'all_repo_write', permissions: [], base_role: 'write' }],
    },
    '/orgs/acme/organization-roles/8/users': [person('bob', 2)],
    '/orgs/acme/organization-roles/8/teams': [],
    '/orgs/acme/actions/runner-groups': {
      runner_groups: [
        { id: 1, name: 'Default', visibility: 'all', allows_public_repositories: true, restricted_to_workflows: false },
        {
          ...{ id: 2, name: 'deployers', visibility: 'selected', allows_public_repositories: false },
          ...{
            restricted_to_workflows: true,
            selected_workflows: ['acme/api/.github/workflows/release.yml@refs/heads/main'],
          },
        },
      ],
    },
    '/orgs/acme/actions/runner-groups/2/repositories': { repositories: [{ full_name: 'acme/api' }] },
    '/orgs/acme/actions/runners': {
      runners: [{ id: 11, name: 'builder-1', labels: [{ name: 'linux' }], ephemeral: false }],
    },
    '/orgs/acme/actions/secrets': { secrets: [secret('NPM_TOKEN', { visibility: 'selected' })] },
    '/orgs/acme/actions/secrets/NPM_TOKEN/repositories': { repositories: [{ full_name: 'acme/api' }] },
    '/orgs/acme/dependabot/secrets': { secrets: [] },
    '/orgs/acme/repos': [
      { id: 74, full_name: 'acme/api', default_branch: 'main', archived: false },
      { id: 75, full_name: 'acme/old', default_branch: 'main', archived: true },
    ],
    '/repos/acme/api/keys': [
      {
        ...{ id: 12, title: 'argo', created_at: '2024-02-01T00:00:00Z', read_only: false, added_by: 'ada' },
        ...{ last_used: '2026-01-01T00:00:00Z', enabled: true },
      },
      {
        id: 13,
        title: 'mirror',
        created_at: '2026-11-01T00:00:00Z',
        read_only: true,
        added_by: 'ada',
        last_used: null,
      },
    ],
    '/repos/acme/api/actions/secrets': { secrets: [secret('DEPLOY_KEY')] },
    '/repos/acme/api/dependabot/secrets': { secrets: [secret('REGISTRY')] },
    '/repos/acme/api/environments': {
      environments: [
        {
          ...{ id: 31, name: 'production', created_at: '2024-01-01T00:00:00Z', can_admins_bypass: true },
          protection_rules: [{ type: 'required_reviewers', reviewers: [{}] }],
          deployment_branch_policy: { protected_branches: true },
        },
        {
          id: 32,
          name: 'staging',
          created_at: '2024-01-01T00:00:00Z',
          protection_rules: [],
          deployment_branch_policy: null,
        },
      ],
    },
    '/repos/acme/api/environments/production/secrets': { secrets: [secret('PROD_KEY')] },
    '/repos/acme/api/environments/staging/secrets': { secrets: [] },
    '/repos/acme/api/environments/production/deployment_protection_rules': { custom_deployment_protection_rules: [] },
    '/repos/acme/api/environments/staging/deployment_protection_rules': { custom_deployment_protection_rules: [] },
    '/repos/acme/api/collaborators': [{ login: 'eve', id: 3, role_name: 'admin' }],
  };
}

/** A GitHub that answers what `answers` says, and 404 for the rest; an answer with `status` is given as it is. */
export async function startStandingGitHub(answers: Record<string, unknown> = standingAnswers()) {
  const service = await startFakeService(({ path }): FakeAnswer => {
    const url = new URL(path, 'http://github.invalid');
    const suffix = ['filter', 'role'].flatMap((name) =>
      url.searchParams.has(name) ? [`${name}=${url.searchParams.get(name)}`] : [],
    );
    const key = `${url.pathname}${suffix.length > 0 ? `?${suffix[0]}` : ''}`;
    const answer = answers[key];
    if (isAnswer(answer)) return answer;
    if (answer === undefined) return { status: 404, body: '{"message":"Not Found"}' };
    return { status: 200, body: JSON.stringify(url.searchParams.get('page') === '2' ? [] : answer) };
  });
  return { ...service, answers };
}

const isAnswer = (answer: unknown): answer is FakeAnswer =>
  typeof answer === 'object' && answer !== null && typeof (answer as { status?: unknown }).status === 'number';

/** What GitHub answers an app or token that lacks a permission. */
export const forbidden: FakeAnswer = { status: 403, body: '{"message":"Resource not accessible by integration"}' };
