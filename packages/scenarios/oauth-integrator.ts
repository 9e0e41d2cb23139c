import { type Client, clone, type Token } from './audit-records.ts';
import { createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const engineer = 'ada-engineer';
const newcomer = 'lin-newcomer';
/** What the integrator was given by whoever connected it, and kept. */
const token: Token = { name: 'of the integrator', type: 'OAuth access token' };
const integrator: Client = { address: '198.51.100.20', country: 'US', agent: 'go-git/5.4' };
const thief: Client = { address: '203.0.113.77', country: 'NL', agent: 'git/2.34.1' };
const repositories = [
  ...['billing', 'checkout', 'deploy-tools', 'fraud-rules', 'gateway', 'identity', 'infrastructure'],
  ...['mobile', 'npm-mirror', 'payments', 'reports', 'warehouse'],
];

/** The integrator deploys two repositories, again and again, as it does every day. */
function deployments(cast: Cast, rounds: number): ScenarioStep[] {
  const stage = createStage(cast);
  return Array.from({ length: rounds }, (_, nth) => {
    const repository = nth % 2 === 0 ? 'checkout' : 'payments';
    const told = {
      name: `deploy-${nth + 1}`,
      says: `the integrator cloned ${repository} to deploy it`,
      atMs: 200 * nth,
    };
    return clone(stage, told, { by: engineer, token, from: integrator, repository });
  });
}

export const oauthIntegrator: Scenario = {
  id: 'oauth-integrator',
  title: 'OAuth tokens stolen from an integrator clone private repositories',
  breach: { number: 6, name: 'Heroku and Travis CI OAuth tokens', date: '2022-04' },
  narrative:
    'Heroku and Travis CI kept OAuth tokens of those who had connected them to GitHub, and lost them. Whoever had them listed the private repositories that each opened, and cloned those that looked worth it, in dozens of organisations; keys found in one of them opened npm’s storage. ' +
    'The clones looked like the integrator’s own, but for how many repositories one token took at once.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'GitHub: Attack campaign involving stolen OAuth user tokens issued to two third-party integrators',
      url: 'https://github.blog/news-insights/company-news/security-alert-stolen-oauth-user-tokens/',
    },
    {
      title: 'Sophos: GitHub issues final report on supply-chain source code intrusions',
      url: 'https://nakedsecurity.sophos.com/2022/04/29/github-issues-final-report-on-supply-chain-source-code-intrusions/',
    },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    return {
      'tripline.inventory.part': 1,
      'tripline.inventory.parts': 1,
      'tripline.inventory.heads': repositories.map((name) => ({
        repository: stage.fullName(name),
        branch: 'main',
        revision: stage.sha(`head of ${name}`),
      })),
      'tripline.inventory.settings': { 'token-bulk-clone': { learnMs: 0 } },
    };
  },
  attack: (cast) => {
    const stage = createStage(cast);
    return [
      ...deployments(cast, 2),
      ...repositories.map((repository, nth) =>
        clone(
          stage,
          {
            name: `clone-${nth + 1}`,
            says: `the same token cloned ${repository} from elsewhere`,
            atMs: 600 + 150 * nth,
          },
          { by: engineer, token, from: thief, repository },
        ),
      ),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const own: Token = { name: 'of a person', type: 'Personal access token (classic)' };
    return [
      ...deployments(cast, 12),
      ...repositories.slice(0, 9).map((repository, nth) =>
        clone(
          stage,
          { name: `clone-${nth + 1}`, says: `${newcomer} cloned ${repository}, new at work`, atMs: 100 + 200 * nth },
          {
            by: newcomer,
            token: own,
            from: { address: '192.0.2.40', country: 'DE', agent: 'git/2.43.0' },
            repository,
          },
        ),
      ),
    ];
  },
  // The token's tenth repository: of those, two had been deployed.
  expects: [{ rule: 'token-bulk-clone', decidingStep: 'clone-9', responses: ['revoke-credential'] }],
};
