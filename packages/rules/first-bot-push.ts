import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { z } from 'zod';
import { firstSeen } from './builders/first-seen.ts';
import { type Named, repositoryOf } from './builders/seen.ts';

const dayMs = 86_400_000;

export const rule = firstSeen({
  id: 'first-bot-push',
  title: 'Jobs push to a repository where none did before',
  description:
    'GitHub’s own bot for jobs pushed to a repository for the first time, though it has pushed to others of the owner for longer than `learnMs`. ' +
    'A workflow that an attacker planted, or talked into it, writes by its job’s token; so does a new release workflow.',
  severity: 'low',
  principles: [4],
  attack: ['T1677', 'T1195.002'],
  owasp: ['CICD-SEC-4', 'CICD-SEC-5'],
  feeds: { needs: ['github', 'github-audit'] },
  falseAlarms: [
    'A new workflow that releases, formats or publishes pages: resolve it as false; it is told once a repository.',
  ],
  limits: ['A workflow that pushes by an app’s or a person’s token, which pushes as them.'],
  on: ['dev.cdeventsx.tripline-ref.pushed', 'dev.cdeventsx.tripline-audit.recorded'],
  where: { attribute: 'user.name', oneOf: ['github-actions[bot]'] },
  settings: {
    learnMs: z
      .int()
      .min(3_600_000)
      .max(90 * dayMs)
      .default(30 * dayMs),
  },
  subject: ({ data }) => ownerOf(data),
  trait: (event) => (isPush(event) ? repositoryOf(event) : undefined),
  learnMs: ({ learnMs }) => learnMs,
  keepMs: 180 * dayMs,
  // One author, and as many repositories as an owner has.
  bounds: { perAuthor: 2000, most: 2000 },
  tell: ({ repository }) => `A job pushed to ${repository?.name ?? 'a repository'}`,
  found: ({ trait }) => ({
    subject: trait.name,
    title: `A job pushed to ${trait.name}, where none did before`,
    summary: `github-actions[bot] pushed to ${trait.name} for the first time. What it pushed nobody need have seen.`,
    remedy: [
      `Read what was pushed to ${trait.name} and by which workflow.`,
      'Give jobs’ tokens the right to write only where a workflow needs it.',
    ],
  }),
});

function ownerOf(data: Attributes): Named | undefined {
  const name = data['vcs.owner.name'];
  return name === undefined ? undefined : { id: name.toLowerCase(), name };
}

const isPush = ({ type, data }: LoggedEvent): boolean =>
  type === 'dev.cdeventsx.tripline-ref.pushed' || (data as Attributes)['tripline.audit.action'] === 'git.push';
