import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';
import { audit } from './audit-actions/audit.ts';
import { match } from './builders/match.ts';

/** How the clients of package managers begin: npm, pnpm and Yarn, Bun, pip, RubyGems and Bundler, Cargo, Composer. */
const managers = /^(?:(?:npm|pnpm|yarn|bun|pip|cargo|bundler|composer)\/\d|ruby, rubygems\/)/i;
/** What installing does, and publishing. */
const theirs = /^(?:git\.(?:clone|fetch)|repo\.download_zip|api\.request|packages\.)/;

export const rule = match({
  id: 'package-manager-acts',
  title: 'A package manager does more than fetch packages',
  description:
    'An act in the audit log was done with the client of a package manager (npm, Yarn, pip, RubyGems, Cargo …) and is neither a read of code nor a publication. ' +
    'What runs while a package is installed has the developer’s or the job’s credentials; worms make repositories and change settings so.',
  severity: 'medium',
  principles: [2],
  attack: ['T1195.001', 'T1059'],
  owasp: ['CICD-SEC-3', 'CICD-SEC-6'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: ['A tool of your own that calls the API with a package manager’s client: an exception for its account.'],
  limits: ['A client says what it likes: this finds malware that does not care.'],
  on: audit.on.filter((type) => !type.includes('pipelinerun') && !type.includes('repository.read')),
  find({ data }) {
    const { 'user_agent.original': client, 'tripline.audit.action': action = '', ...said }: Attributes = data;
    if (client === undefined || !managers.test(client) || theirs.test(action) || action === '') return undefined;
    const who = clip(said['user.name'] ?? 'somebody unnamed', 200);
    const place = clip(said['vcs.repository.name'] ?? said['vcs.owner.name'] ?? 'the enterprise', 200);
    const what = `${who} did ${action} in ${place} with ${clip(client, 100)}`;
    return {
      ...{ subject: `user:${who}`, title: `A package manager did ${action} as ${who}`, what },
      summary: `${what}. Installing a package needs no such act: what it ran may hold the credentials of ${who}.`,
      remedy: [
        `Ask ${who} what was installed, and where; revoke the token that was used unless they can say.`,
        'Look for other acts of this account since, and for packages that it published.',
      ],
    };
  },
});
