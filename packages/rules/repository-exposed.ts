import type { LoggedEvent } from '@tripline/contracts/event';
import { placeOf } from '@tripline/contracts/place';
import { z } from 'zod';
import { type Match, match } from './builders/match.ts';
import { actorOf, repositoryOf } from './builders/seen.ts';
import { isOfWorm } from './known-worms.ts';

export const rule = match({
  id: 'repository-exposed',
  title: 'Repository shown to everybody',
  description:
    'Somebody made a private repository public: from then on all of its history is everybody’s. ' +
    'A public repository with the name or description under which worms publish what they stole is critical.',
  severity: 'high',
  principles: [5],
  attack: ['T1567.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'A repository that is opened on purpose: an exception for it, or for who opens repositories, made before it is announced.',
    'A repository about a worm that bears its very name: an exception for it.',
  ],
  limits: [
    'Repositories under people’s own accounts, where a worm publishes what it took from their machines: no feed of the organisation tells of them.',
  ],
  // The table has it by its name alone, for records that tell no id of the repository.
  supersedes: ['audit-repo-access-to-public'],
  on: ['dev.cdeventsx.tripline-control.changed'],
  where: { attribute: 'tripline.control.kind', oneOf: ['visibility', 'repository'] },
  settings: { descriptions: z.array(z.string().min(8).max(300)).max(100).default([]) },
  find(event, { descriptions }) {
    const repository = repositoryOf(event);
    return repository === undefined ? undefined : exposed(event, repository.name, descriptions);
  },
});

/** A repository that everybody can see from now on, or that a worm made. */
function exposed(event: LoggedEvent, repository: string, descriptions: readonly string[]): Match | undefined {
  const { 'tripline.control.action': action, 'tripline.repository.visibility': visibility, ...data } = event.data;
  const description = data['tripline.repository.description']?.trim() ?? '';
  const isOpened = action === 'publicized';
  const isPublic = isOpened || visibility === 'public';
  const own = descriptions.some((one) => description.toLowerCase().includes(one.toLowerCase()));
  const isWorm = own || isOfWorm(repository.slice(repository.indexOf('/') + 1), description);
  const isTold = isOpened || ((action === 'created' || action === 'edited' || action === 'renamed') && isWorm);
  if (!isPublic || !isTold) return undefined;
  const { name } = actorOf(event);
  const where = { ...placeOf(event), repository, repositoryId: data['vcs.repository.id'] };
  const called = isWorm ? ', called as worms call what they stole' : '';
  return {
    subject: repository,
    occasion: isOpened ? (event.fact ?? event.id) : 'worm',
    severity: isWorm ? 'critical' : 'high',
    what: `${name} ${isOpened ? 'made' : `${action} public`} ${repository}${isOpened ? ' public' : ''}`,
    title: isOpened ? `${name} made ${repository} public${called}` : `Public repository ${repository}${called}`,
    summary: isWorm
      ? `${repository} is public, and its name or description is one under which worms publish stolen secrets. Whatever it holds is known.`
      : `${name} made ${repository} public. Everybody can read all of its history, and what was ever committed to it.`,
    response: [{ action: 'close-exposure', exposure: 'public-repository', ...where }],
    remedy: isWorm
      ? [
          `Make ${repository} private, keep a copy, and revoke every secret that stands in it.`,
          `End ${name}’s sessions and tokens, and look at what else they did.`,
        ]
      : [
          `Ask ${name} whether they meant to; if not, make ${repository} private and treat every secret in its history as known.`,
        ],
  };
}
