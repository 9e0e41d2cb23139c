import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';
import { match } from './builders/match.ts';
import { repositoryOf } from './builders/seen.ts';
import { shortSha } from './evidence.ts';

/** What has GitHub set off no workflow for a push. */
const skips = /\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]|skip-checks: ?true/i;

export const rule = match({
  id: 'checks-skipped',
  title: 'A push to a public repository asked for no checks',
  description:
    'The message of a commit that was pushed to a public repository has no workflow set off (`[skip ci]` and its like), so nothing tested or scanned it.',
  severity: 'low',
  principles: [5],
  attack: ['T1685'],
  owasp: ['CICD-SEC-1'],
  falseAlarms: ['Release scripts that commit a version or a changelog: an exception for their account.'],
  limits: ['Private repositories, where people save minutes so all the time.'],
  offByDefault: 'Release scripts do it daily.',
  on: ['dev.cdeventsx.tripline-ref.pushed'],
  where: { attribute: 'tripline.repository.visibility', oneOf: ['public'] },
  find(event) {
    const { 'tripline.push.commits': commits = [], 'vcs.ref.head.name': ref, ...data }: Attributes = event.data;
    const skipped = commits.findLast(({ message }) => skips.test(message));
    const repository = repositoryOf(event);
    if (skipped === undefined || repository === undefined || data['vcs.ref.head.type'] === 'tag') return undefined;
    const who = clip(data['user.name'] ?? 'somebody unnamed', 200);
    const what = `${who} pushed ${shortSha(skipped.revision)} to ${ref} of ${repository.name} without checks`;
    return {
      ...{ subject: `${repository.name}@${ref}`, title: what, what },
      summary: `${what}: its message says so. Nothing tested or scanned it.`,
      remedy: [`Read ${shortSha(skipped.revision)}, and run the checks of ${ref} again.`],
    };
  },
});
