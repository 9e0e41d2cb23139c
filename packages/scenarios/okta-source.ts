import { auditRecord, type Client, clone } from './audit-records.ts';
import { inventory } from './baseline.ts';
import { createStage } from './github-bodies.ts';
import type { Scenario } from './scenario.ts';

const engineer = 'ola-engineer';
const browser: Client = {
  address: '203.0.113.140',
  country: 'SE',
  agent: 'Mozilla/5.0 (Windows NT 10.0) Firefox/107.0',
};
const desk: Client = { address: '192.0.2.80', country: 'US', agent: 'git/2.38.1' };
const repositories = Array.from({ length: 12 }, (_, nth) => `workforce-${String(nth + 1).padStart(2, '0')}`);

export const oktaSource: Scenario = {
  id: 'okta-source',
  title: 'Okta’s source code, December 2022',
  breach: { number: 8, name: 'Okta’s source code', date: '2022-12' },
  narrative:
    'GitHub told Okta of suspicious access to its repositories: somebody had copied the source of Workforce Identity Cloud. How they got in was never published. ' +
    'Played as a session in the browser that downloads one repository after another, without any token, so that only the account says who it is.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'BleepingComputer: Okta’s source code stolen after GitHub repositories hacked',
      url: 'https://www.bleepingcomputer.com/news/security/oktas-source-code-stolen-after-github-repositories-hacked/',
    },
    { title: 'Okta: Okta Code Repositories', url: 'https://sec.okta.com/articles/2022/12/okta-code-repositories/' },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories,
      members: [{ login: engineer, role: 'member' }],
      settings: { 'token-bulk-clone': { learnMs: 0 } },
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    return repositories.map((repository, nth) =>
      auditRecord(
        stage,
        { name: `download-${nth + 1}`, says: `${repository} was downloaded in the browser`, atMs: 200 + 200 * nth },
        { action: 'repo.download_zip', by: engineer, from: browser, repository, more: { public_repo: false } },
      ),
    );
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const mine = repositories.slice(0, 9);
    // The same few, by both ways: each counts once.
    return mine.flatMap((repository, nth) => [
      clone(
        stage,
        { name: `clone-${nth + 1}`, says: `${engineer} cloned ${repository}, which is theirs`, atMs: 200 + 300 * nth },
        { by: engineer, from: desk, repository },
      ),
      auditRecord(
        stage,
        { name: `download-${nth + 1}`, says: `${engineer} downloaded it for a colleague`, atMs: 300 + 300 * nth },
        { action: 'repo.download_zip', by: engineer, from: desk, repository, more: { public_repo: false } },
      ),
    ]);
  },
  expects: [{ rule: 'token-bulk-clone', decidingStep: 'download-10', responses: ['revoke-credential'] }],
};
