import type { Attributes } from '@tripline/contracts/attributes';
import { usualPlace } from '@tripline/contracts/place';
import { z } from 'zod';
import { account } from './accounts.ts';
import { type Named, repositoryOf } from './builders/seen.ts';
import { quotaOf, valueCount } from './builders/value-count.ts';
import { accountOf, isBeside, isChangingAlone, isLanding, pusherOf } from './ci-pushers.ts';
import { endingTokensOf } from './token-words.ts';

/** Of what others made so many times as many repositories: whoever keeps dependencies fresh merges updates in a row. */
const mostLanded = 4;

export const rule = valueCount({
  id: 'mass-workflow-push',
  title: 'CI files changed in many repositories at once',
  description:
    'One account pushed changes to files that configure CI in at least `repositories` repositories within `windowMs`. ' +
    'So does a worm, or whoever holds a stolen token and plants a workflow wherever it may write. ' +
    'Merges count too: GitHub tells them as pushes of whoever merged; of what others wrote, and what apps merge, ' +
    `${mostLanded} times as many are needed. An app that changes them on branches of its own alone is medium: each day where it adds files, and once a month where it only changes what is there, as bots that update dependencies do daily. The provider’s own bots, whose tokens nobody has, are not counted there.`,
  severity: 'critical',
  principles: [2],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-4'],
  falseAlarms: [
    'An app or bot that rolls templates out, or a dependency bot that works under a user’s account: an exception for its account under `exceptions`, or a higher number for it under `quotas`.',
    'Somebody who changes the same in all repositories, and merges it by their own hand within minutes: raise `repositories`.',
  ],
  limits: [
    'Fewer repositories than `repositories` within `windowMs`, or as many by several accounts: no count tells these from work. What is then built of them is `build-from-unreviewed-commit`’s.',
    `Pushes that say to be merges of others’ work by the provider’s pages, which whoever pushes can write: up to ${mostLanded} times as many are passed over here. On protected branches \`workflow-changed-unreviewed\` finds each.`,
    'What an app that changes CI files on branches of its own anyway changes there later in the month, such as by a stolen key: it is then what runs of these branches are given that is found, by `ephemeral-branch-secret-run` and `build-from-unreviewed-commit`.',
    'Scripts that an unchanged workflow calls, such as those of a package: only files that configure CI are told from others.',
  ],
  on: ['dev.cdeventsx.tripline-ref.pushed'],
  settings: {
    repositories: z.int().min(2).max(100).default(3),
    /** By account, `login:id` or an app’s `name[bot]`: so many repositories instead. */
    quotas: z.record(account, z.int().min(2).max(1000)).default({}),
    windowMs: z.int().min(1000).max(86_400_000).default(600_000),
  },
  by: (event) => (touchesCi(event.data) ? pusherOf(event) : undefined),
  value: repositoryOf,
  tell: ({ by, value }) => `${by.name} changed CI files in ${value.name}`,
  atLeast: ({ repositories, quotas }, by) =>
    quotaOf(quotas, { id: accountOf(by), login: by.name }, repositories) * (isLanding(by) ? mostLanded : 1),
  withinMs: ({ windowMs }) => windowMs,
  // Bots that update dependencies do so all day, and each day.
  again: (by) => (isChangingAlone(by) ? 'each month' : isBeside(by) ? 'each day' : 'each hour'),
  found: (actor, repositories, { windowMs }, [sight]) => ({
    subject: `user:${actor.name}`,
    severity: isBeside(actor) ? 'medium' : 'critical',
    // Who only lands what others made has planted nothing.
    response: isLanding(actor) ? [] : endingTokens(actor, repositories, sight!.place),
    title: `${actor.name} changed CI files in ${repositories.length} repositories within ${minutes(windowMs)}`,
    summary:
      `${actor.name} pushed changes to pipelines of ${repositories
        .map(({ name }) => name)
        .slice(0, 10)
        .join(', ')}. ` + 'A stolen token that plants a workflow wherever it may write looks like this.',
    remedy: [
      `Ask ${actor.name} on another channel whether these are theirs.`,
      'If not: end their sessions, delete their tokens, and revert the commits before their workflows run again.',
    ],
  }),
});

/** In each organisation that is concerned. An account of which no event told a number goes by its login. */
function endingTokens(by: Named, repositories: readonly Named[], place = usualPlace) {
  const id = accountOf(by);
  const account = { login: by.name, ...(id === by.name.toLowerCase() ? {} : { id }) };
  const owners = [...new Set(repositories.map(({ name }) => name.split('/', 1)[0]))].slice(0, 5);
  return owners.flatMap((owner) => endingTokensOf(account, owner, place));
}

/** Files that configure CI were touched, by a push that adds something: a branch that is deleted changes none. */
function touchesCi(data: Attributes): boolean {
  return data['tripline.push.commits']?.some(({ ciPaths }) => ciPaths.length > 0) ?? false;
}
const minutes = (ms: number) => `${Math.ceil(ms / 60_000)} minutes`;
