import { type Client, clone, type Token } from './audit-records.ts';
import { inventory } from './baseline.ts';
import { createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const engineer = 'dee-engineer';
const token: Token = { name: 'of the engineer', type: 'Personal access token (classic)' };
const desk: Client = { address: '192.0.2.14', country: 'US', agent: 'git/2.37.0' };
const thief: Client = { address: '203.0.113.9', country: 'RO', agent: 'python-requests/2.28' };
const dayMs = 86_400_000;
const repositories = [
  ...['api-prototype', 'config-tools', 'email-templates', 'image-library', 'internal-cli', 'load-tests'],
  ...['map-library', 'security-rules', 'sync-prototype', 'third-party-forks', 'vendor-sdk'],
];

/** What the token did every few days until now, by which is known from where it is used. */
function ordinaryWeeks(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [21, 14, 7, 2].map((daysAgo, nth) =>
    clone(
      stage,
      { name: `usual-${nth + 1}`, says: `${engineer} had cloned from the office, ${daysAgo} days ago`, atMs: 50 * nth },
      { by: engineer, token, from: desk, repository: 'internal-cli', doneAtMs: -daysAgo * dayMs },
    ),
  );
}

export const dropboxPhish: Scenario = {
  id: 'dropbox-phish',
  title: 'Dropbox, November 2022',
  breach: { number: 7, name: 'Dropbox', date: '2022-10-13' },
  narrative:
    'Mails that seemed to come from CircleCI led engineers of Dropbox to a page that asked for their GitHub login and a one-time password. One of them gave both. Whoever had them cloned 130 repositories with the engineer’s rights, from a machine that nobody had seen before. ' +
    'That the thief had a token of the engineer’s is assumed: the write-ups do not say by what the clones were made.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Dropbox: How we handled a recent phishing incident that targeted Dropbox',
      url: 'https://dropbox.tech/security/a-recent-phishing-campaign-targeting-dropbox',
    },
    {
      title: 'Help Net Security: 130 Dropbox code repos plundered after successful phishing attack',
      url: 'https://www.helpnetsecurity.com/2022/11/02/dropbox-data-breach/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories,
      members: [{ login: engineer, role: 'member' }],
      settings: { 'token-bulk-clone': { learnMs: 0 } },
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    return [
      ...ordinaryWeeks(cast),
      ...repositories.map((repository, nth) =>
        clone(
          stage,
          {
            name: `clone-${nth + 1}`,
            says: `${repository} was cloned from a new machine far away`,
            atMs: 600 + 150 * nth,
          },
          { by: engineer, token, from: thief, repository },
        ),
      ),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const hotel = { ...desk, address: '198.51.100.61', country: 'FR' };
    const upgraded = { ...desk, agent: 'git/2.39.1' };
    const work = (repository: string, nth: number, from: Client, says: string) =>
      clone(
        stage,
        { name: `clone-${nth}`, says: `${engineer} cloned ${repository}, ${says}`, atMs: 400 + 150 * nth },
        { by: engineer, token, from, repository },
      );
    return [
      ...ordinaryWeeks(cast),
      ...repositories.slice(0, 4).map((one, nth) => work(one, nth + 1, hotel, 'on the road')),
      ...repositories
        .slice(4, 8)
        .map((one, nth) => work(one, nth + 5, upgraded, 'back at the office, with a newer git')),
    ];
  },
  expects: [
    { rule: 'credential-context-drift', decidingStep: 'clone-1', responses: ['revoke-credential'] },
    { rule: 'token-bulk-clone', decidingStep: 'clone-10', responses: ['revoke-credential'] },
  ],
};
