import type { Retirement, Standing, StandingKind } from '@tripline/access/standing';
import { describeRequest, type GitHubRequest, ownerAndRepo } from '../client.ts';

const seeIt = (what: string) => `Look again: \`tripline access standing\` has no row ${what} any more.`;
const bothInForce =
  'Let the jobs ask the broker, and leave it in force for two weeks: each use of it shows here as its last use.';

/** A row of GitHub's own. */
export type OfGithub = Standing & { kind: Exclude<StandingKind, 'aws-role' | 'aws-access-key' | 'vault-role'> };

/** What retires a row, in the words of GitHub's API. `organization`: whose row it is. */
export function retirementOf(row: OfGithub, organization: string): Retirement {
  const nth = (at: number) => row.id.split('/')[at] ?? '';
  const org = { org: organization };
  const repositories = row.repositories === 'all' ? [] : row.repositories;
  const where = repositories[0] === undefined ? { owner: organization, repo: '{repo}' } : ownerAndRepo(repositories[0]);
  const gone = seeIt(row.id);
  switch (row.kind) {
    case 'fine-grained-token':
      return {
        ...{
          trial: bothInForce,
          check: gone,
          wayBack: `${row.owner} makes another one, which the organisation must let in.`,
        },
        retire: [
          call('POST /orgs/{org}/personal-access-tokens/{pat_id}', { ...org, pat_id: nth(1), action: 'revoke' }),
        ],
      };
    case 'authorized-credential':
      return {
        ...{ trial: bothInForce, check: gone, wayBack: `${row.owner} authorises it again by single sign-on.` },
        retire: [
          call('DELETE /orgs/{org}/credential-authorizations/{credential_id}', { ...org, credential_id: nth(1) }),
        ],
      };
    case 'deploy-key':
      return {
        ...{ trial: bothInForce, check: gone },
        retire: [call('DELETE /repos/{owner}/{repo}/keys/{key_id}', { ...where, key_id: nth(2) })],
        wayBack: 'Keep the public key beforehand (GET on the same address tells it), and add it again by POST …/keys.',
      };
    case 'app':
      return {
        ...{ trial: 'Ask the app’s maker which repositories and permissions it uses.', check: gone },
        retire: [
          `Narrow it to chosen repositories, or uninstall it, under Settings → GitHub Apps of ${organization}: no call does for another app.`,
        ],
        wayBack: 'Install it again; its settings at its maker’s stay.',
      };
    case 'secret':
    case 'dependabot-secret':
      return {
        ...{ trial: bothInForce, check: gone, retire: [deleteSecret(row, org, where)] },
        wayBack:
          'GitHub gives no value back: keep it elsewhere for as long as you might want to set it again. End what it opens too.',
      };
    case 'organization-right':
      if (row.id.endsWith('/second-factor'))
        return {
          trial: 'Tell the members without a second factor: they are rows here.',
          retire: [
            `Require two-factor authentication under Settings → Authentication security of ${organization}; whoever has none is locked out until they do.`,
          ],
          ...{ check: gone, wayBack: 'Switch it off again there.' },
        };
      return {
        ...{ trial: 'Give teams what they need beforehand.', check: gone },
        retire: [call('PATCH /orgs/{org}', { ...org, default_repository_permission: 'read' })],
        wayBack: `The same call with ${row.scope.join(' ')}.`,
      };
    case 'owner':
      return {
        ...{ trial: 'Leave two owners who are needed at any hour; let the others ask for it.', check: gone },
        retire: [call('PUT /orgs/{org}/memberships/{username}', { ...org, username: row.name, role: 'member' })],
        wayBack: 'The same call with role admin, by another owner.',
      };
    case 'member':
      return {
        ...{
          trial: 'Ask them whether they still work here.',
          check: gone,
          wayBack: 'Invite them again within three months: their rights are restored.',
        },
        retire: [call('DELETE /orgs/{org}/memberships/{username}', { ...org, username: row.name })],
      };
    case 'outside-collaborator':
      return {
        ...{ trial: 'Ask whoever works with them.', check: gone, wayBack: 'Invite them to the repository again.' },
        retire: [call('DELETE /orgs/{org}/outside_collaborators/{username}', { ...org, username: row.name })],
      };
    case 'team':
      return {
        ...{ trial: 'See by the trail who of the team wrote there last (`tripline events --actor`).', check: gone },
        retire: repositories.map((repository) =>
          call('PUT /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}', {
            ...{ ...org, team_slug: row.name, ...ownerAndRepo(repository), permission: 'pull' },
          }),
        ),
        wayBack: `The same call with ${row.scope.join(' or ')}.`,
      };
    case 'organization-role':
      return {
        ...{ trial: 'Ask its holders what they use it for.', check: gone, wayBack: 'PUT on the same addresses.' },
        retire: (row.holders ?? []).map(({ team, login }) =>
          team === undefined
            ? call('DELETE /orgs/{org}/organization-roles/users/{username}/{role_id}', {
                ...{ ...org, username: login, role_id: nth(1) },
              })
            : call('DELETE /orgs/{org}/organization-roles/teams/{team_slug}/{role_id}', {
                ...{ ...org, team_slug: team, role_id: nth(1) },
              }),
        ),
      };
    case 'runner-group':
      return {
        trial: 'The workflows that were seen there are written; look for others that need it.',
        retire: [
          call('PATCH /orgs/{org}/actions/runner-groups/{runner_group_id}', {
            ...{ ...org, runner_group_id: nth(2), name: row.name },
            ...{ allows_public_repositories: false, restricted_to_workflows: true },
            selected_workflows: [
              ...new Set(row.usedBy.flatMap(({ workflow }) => (workflow?.includes('@') ? [workflow] : []))),
            ].sort(),
          }),
        ],
        ...{
          check: 'Look again: the row has lost what made it loose.',
          wayBack: 'The same call with restricted_to_workflows: false.',
        },
      };
    case 'runner':
      return {
        ...{ trial: 'Register a second one with --ephemeral beside it.', check: gone },
        retire: [call('DELETE /orgs/{org}/actions/runners/{runner_id}', { ...org, runner_id: nth(2) })],
        wayBack: 'Register it again.',
      };
    case 'environment':
      return {
        trial: 'Add the gate with no policy that denies, and read its verdicts for two weeks.',
        retire: [
          call('POST /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules', {
            ...{ ...where, environment_name: row.name, integration_id: '{the gate’s App id}' },
          }),
        ],
        ...{ check: 'Look again: the row names the gate.', wayBack: 'DELETE of the rule that the call made.' },
      };
    case 'oidc-subject':
      return {
        trial: 'Find whoever matches subjects by name (cloud roles, Vault roles), and have them take both forms.',
        retire: [
          call('PUT /orgs/{org}/actions/oidc/customization/sub', {
            ...{ ...org, include_claim_keys: row.scope, use_immutable_subject: true },
          }),
        ],
        ...{ check: gone, wayBack: 'The same call with use_immutable_subject: false.' },
      };
  }
}

function deleteSecret(row: Standing, org: { org: string }, where: { owner: string; repo: string }): string {
  const store = row.kind === 'secret' ? 'actions' : 'dependabot';
  const [environment] = row.environments;
  const secret_name = row.name;
  if (environment !== undefined) {
    const route = 'DELETE /repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}';
    return call(route, { ...where, environment_name: environment, secret_name });
  }
  if (row.id.includes('/@')) return call(`DELETE /orgs/{org}/${store}/secrets/{secret_name}`, { ...org, secret_name });
  return call(`DELETE /repos/{owner}/{repo}/${store}/secrets/{secret_name}`, { ...where, secret_name });
}

/** As it goes over the wire: method, path, and body as JSON. What is left to be filled in stands in braces. */
function call(route: string, parameters: GitHubRequest['parameters']): string {
  const { method, path, body } = describeRequest({ route, parameters });
  const written = path.replaceAll('%7B', '{').replaceAll('%7D', '}');
  return `${method} ${written}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`;
}
