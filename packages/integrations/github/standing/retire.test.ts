import { bodiesOf, type DescribedGitHub, serveGitHub } from '@tripline/testing/fakes/github-openapi';
import { standingAnswers, startStandingGitHub } from '@tripline/testing/fakes/github-standing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGitHubClient } from '../client.ts';
import { readStanding } from './read.ts';
import { type OfGithub, retirementOf } from './retire.ts';

/** Every call that a plan may print, as GitHub's description names it. */
const operations = [
  'POST /orgs/{org}/personal-access-tokens/{pat_id}',
  'DELETE /orgs/{org}/credential-authorizations/{credential_id}',
  'DELETE /repos/{owner}/{repo}/keys/{key_id}',
  'DELETE /orgs/{org}/actions/secrets/{secret_name}',
  'DELETE /repos/{owner}/{repo}/actions/secrets/{secret_name}',
  'DELETE /repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}',
  'DELETE /orgs/{org}/dependabot/secrets/{secret_name}',
  'DELETE /repos/{owner}/{repo}/dependabot/secrets/{secret_name}',
  'PATCH /orgs/{org}',
  'PUT /orgs/{org}/memberships/{username}',
  'DELETE /orgs/{org}/memberships/{username}',
  'DELETE /orgs/{org}/outside_collaborators/{username}',
  'PUT /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}',
  'DELETE /orgs/{org}/organization-roles/users/{username}/{role_id}',
  'DELETE /orgs/{org}/organization-roles/teams/{team_slug}/{role_id}',
  'PATCH /orgs/{org}/actions/runner-groups/{runner_group_id}',
  'DELETE /orgs/{org}/actions/runners/{runner_id}',
  'POST /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules',
  'PUT /orgs/{org}/actions/oidc/customization/sub',
];
let github: DescribedGitHub;
let standing: Awaited<ReturnType<typeof startStandingGitHub>>;
let rows: readonly OfGithub[];
beforeAll(async () => {
  github = await serveGitHub(operations);
  const answers = standingAnswers();
  const secret = { created_at: '2025-01-02T00:00:00Z', updated_at: '2025-01-02T00:00:00Z', visibility: 'all' };
  standing = await startStandingGitHub({
    ...answers,
    '/orgs/acme/credential-authorizations': [
      {
        ...{ login: 'ada', credential_id: 161, credential_type: 'SSH key', credential_accessed_at: null },
        credential_authorized_at: '2025-01-02T00:00:00Z',
      },
    ],
    '/orgs/acme/dependabot/secrets': { secrets: [{ name: 'MIRROR', ...secret }] },
    '/orgs/acme/organization-roles/8/teams': [{ id: 4, slug: 'core' }],
    '/orgs/acme/teams/core/repos': [
      { full_name: 'acme/api', permissions: { push: true } },
      { full_name: 'acme/web', permissions: { admin: true } },
    ],
  });
  const client = createGitHubClient({ apiUrl: standing.url, authorization: 'token t', manner: 'patient' });
  rows = (await readStanding(client, 'acme')).rows as readonly OfGithub[];
});
afterAll(async () => {
  await standing.close();
  await github.close();
});

/** As somebody sends what the plan prints, filled in where it has braces. */
async function send(printed: string): Promise<{ operation: string; body: Record<string, unknown> }> {
  const [, method, path, json] = /^([A-Z]+) (\S+)(?: (.*))?$/.exec(printed.replace('"{the gate’s App id}"', '7'))!;
  const headers = {
    ...{ authorization: 'token t', accept: 'application/json', 'user-agent': 'a-person' },
    ...{ 'x-github-api-version': '2022-11-28', 'content-type': 'application/json' },
  };
  const init = { method: method!, headers, ...(json === undefined ? {} : { body: json }) };
  await github.fetch()(`${github.url}${path}`, init);
  const fits = (one: string) =>
    new RegExp(`^${one.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(`${method} ${path}`) && one.startsWith(`${method} `);
  return { operation: operations.find(fits)!, body: json === undefined ? {} : JSON.parse(json) };
}

test('every call that a plan prints is one of GitHub’s, with parameters that it knows', async () => {
  const seen = new Set<string>();
  const bodies = bodiesOf(operations);
  for (const row of rows) {
    const { retire } = retirementOf(row, 'acme');
    expect(retire.length, row.id).toBeGreaterThan(0);
    for (const printed of retire.filter((one) => /^[A-Z]+ \//.test(one))) {
      const { operation, body } = await send(printed);
      expect(operation, printed).toBeDefined();
      seen.add(operation);
      for (const name of Object.keys(body)) expect(bodies.get(operation), printed).toContain(name);
    }
  }
  expect(github.wrong).toEqual([]);
  expect([...seen].sort()).toEqual(operations.toSorted());
});

test('a role is taken from each of its holders, and a team’s rights in each repository', () => {
  const callsOf = (id: string) => retirementOf(rows.find((row) => row.id === id)!, 'acme').retire;
  expect(callsOf('organization-role/8')).toEqual([
    'DELETE /orgs/acme/organization-roles/users/bob/8',
    'DELETE /orgs/acme/organization-roles/teams/core/8',
  ]);
  expect(callsOf('team/4').map((one) => one.split(' ')[1])).toEqual([
    '/orgs/acme/teams/core/repos/acme/api',
    '/orgs/acme/teams/core/repos/acme/web',
  ]);
});
