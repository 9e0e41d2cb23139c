import type { Look } from '@tripline/contracts/check';
import { createGitHubClient, NoAnswerError } from './client.ts';
import { CannotReadError, installedOn } from './reader.ts';

type Needs = {
  github: { apiUrl: string; app?: { id: string; privateKey: string } | undefined; token?: string | undefined };
  workspaces: readonly { github: { organizations: readonly { login: string }[] } }[];
};

/** Whether GitHub would take Tripline's calls, by the App or the token that is configured. */
export function checkGitHub({ github: { app, token, apiUrl }, workspaces }: Needs): Look[] {
  if (app) {
    const organizations = workspaces.flatMap(({ github }) => github.organizations.map(({ login }) => login));
    const remedy = 'check TRIPLINE_GITHUB_APP_ID and TRIPLINE_GITHUB_APP_PRIVATE_KEY, and this machine’s clock';
    return [{ name: 'GitHub App', remedy, look: () => lookAtApp({ apiUrl, app }, organizations) }];
  }
  if (token) {
    const look = () => lookAtToken(apiUrl, token);
    return [{ name: 'GitHub token', remedy: 'check TRIPLINE_GITHUB_TOKEN', look }];
  }
  const detail = 'no App or token: no import, no look-ups, no remediation; rules learn instead';
  return [{ name: 'GitHub', remedy: '', look: async () => ({ state: 'off', detail }) }];
}

async function lookAtApp(
  access: Parameters<typeof installedOn>[0],
  organizations: readonly string[],
): ReturnType<Look['look']> {
  const on = await installedOn(access, Date.now()).catch((error: unknown) => brokenAtGitHub(error));
  if ('state' in on) return on;
  if (on.length === 0) {
    return { state: 'broken', detail: 'it is installed nowhere', remedy: 'install it on your organisation' };
  }
  const there = new Set(on.map((login) => login.toLowerCase()));
  const without = organizations.filter((login) => !there.has(login.toLowerCase()));
  const detail = `installed on ${on.join(', ')}`;
  if (without.length === 0) return { state: 'ok', detail };
  return {
    state: 'broken',
    detail: `${detail}, and not on ${without.join(', ')}: nothing is imported, looked up or revoked there`,
    remedy: 'install it there, or take the organisation out of workspaces',
  };
}

async function lookAtToken(apiUrl: string, token: string): ReturnType<Look['look']> {
  const client = createGitHubClient({ apiUrl, authorization: `token ${token}`, manner: 'once' });
  const answer = await client.send({ route: 'GET /rate_limit', parameters: {} }).catch(brokenAtGitHub);
  if ('state' in answer) return answer;
  const { status } = answer;
  if (status !== 200) return { state: 'broken', detail: `GitHub answers ${status}`, remedy: remedyFor(status) };
  return { state: 'ok', detail: 'it reads; to remediate, an App is needed' };
}

/** What is GitHub's own fault, or the way's there: another key or token would change nothing. @throws any other error, as it is. */
export function brokenAtGitHub(error: unknown): { state: 'broken'; detail: string; remedy: string } {
  const isTheirs =
    error instanceof NoAnswerError || (error instanceof CannotReadError && error.outcome.kind === 'retry');
  if (!isTheirs) throw error;
  return { state: 'broken', detail: error.message, remedy: remedyOfGitHubs };
}

const remedyOfGitHubs =
  'see whether github.apiUrl can be reached from here; else GitHub is at fault (githubstatus.com), and is asked again by itself';

/** What an answer other than 200 asks of people: a new token only where the token is what is wrong. */
function remedyFor(status: number): string {
  if (status >= 500) return remedyOfGitHubs;
  if (status === 401) return 'make a new token: this one has expired or was revoked';
  if (status === 403 || status === 429) {
    return 'wait until GitHub lets it call again, or have it authorised for the organisation (SAML, IP allow list)';
  }
  return 'check github.apiUrl: what answers there may not be GitHub';
}
