import { auditRecord, type Client, clone, type Token } from './audit-records.ts';
import { inventory } from './baseline.ts';
import { createStage } from './github-bodies.ts';
import type { Scenario } from './scenario.ts';

const employee = 'hal-engineer';
/** What the editor was given to clone with: the thief sits in the editor. */
const token: Token = { name: 'of the editor', type: 'OAuth access token' };
const device: Client = { address: '192.0.2.33', country: 'US', agent: 'git/2.49.0' };
const repositories = Array.from({ length: 14 }, (_, nth) => `service-${String(nth + 1).padStart(2, '0')}`);

export const githubInternal: Scenario = {
  id: 'github-internal',
  title: 'GitHub’s internal repositories, May 2026',
  breach: { number: 27, name: 'GitHub’s internal repositories', date: '2026-05-18' },
  narrative:
    'An employee’s editor was given a new version of an extension that somebody had poisoned. With what the editor may do, it copied some 3,800 of the company’s own repositories. ' +
    'Device, network and token were the employee’s own: only how much was taken at once told it from a day’s work.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'cyberleveling: what GitHub has confirmed of the breach by a poisoned VS Code extension',
      url: 'https://cyberleveling.com/blog/github-vscode-extension-breach-2026',
    },
    {
      title: 'webiano: GitHub’s breach shows the developer workstation is now the supply chain',
      url: 'https://webiano.digital/githubs-breach-shows-the-developer-workstation-is-now-the-supply-chain/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories,
      members: [{ login: employee, role: 'member' }],
      settings: { 'token-bulk-clone': { learnMs: 0 } },
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    return repositories.map((repository, nth) =>
      clone(
        stage,
        { name: `clone-${nth + 1}`, says: `the employee’s editor cloned ${repository}`, atMs: 200 + 100 * nth },
        { by: employee, token, from: device, repository },
      ),
    );
  },
  benign: (cast) => {
    const stage = createStage(cast);
    // A morning of fetching: the same repositories again and again are not more of them.
    return Array.from({ length: 27 }, (_, nth) => {
      const repository = repositories[nth % 9]!;
      const says = `${employee}’s editor brought ${repository} up to date`;
      const act = { action: 'git.fetch', by: employee, token, from: device, repository };
      return auditRecord(stage, { name: `fetch-${nth + 1}`, says, atMs: 200 + 100 * nth }, act);
    });
  },
  expects: [{ rule: 'token-bulk-clone', decidingStep: 'clone-10', responses: ['revoke-credential'] }],
};
