import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { type Named, repositoryOf } from './builders/seen.ts';
import { valueCount } from './builders/value-count.ts';

function policyOf({ data }: LoggedEvent): Named | undefined {
  const name = (data as Attributes)['tripline.access.policy'];
  return name === undefined ? undefined : { id: clip(name, 200), name: clip(name, 200) };
}

export const rule = valueCount({
  id: 'access-denied-burst',
  title: 'One repository was denied many policies of access',
  description:
    'Jobs of one repository asked the access broker for credentials by at least `policies` different policies within `windowMs`, and were denied. Whoever runs code there tries doors. ' +
    'What a dry run would have denied does not count. One finding an hour.',
  severity: 'medium',
  principles: [1, 2],
  attack: ['T1550.001', 'T1580'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-5'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'A matrix that asks by a policy of each environment, from a branch that none of them is for: have its jobs ask where they may, or raise `policies`.',
    'The policies of a repository are being written: try them by `tripline access test` and `explain` instead.',
  ],
  limits: [
    'Fewer policies than `policies` within `windowMs`: each denial is in the log, with its reasons (`tripline access explain`).',
    'Who shows no valid token is refused before anything is decided, and counted in metrics alone.',
  ],
  on: ['dev.cdeventsx.tripline-access.decided'],
  where: { attribute: 'tripline.access.decision', oneOf: ['denied'] },
  settings: {
    policies: z.int().min(2).max(100).default(5),
    windowMs: z.int().min(1000).max(86_400_000).default(600_000),
  },
  by: (event) => ((event.data as Attributes)['tripline.access.dry_run'] ? undefined : repositoryOf(event)),
  value: policyOf,
  tell: ({ by, value, run }) =>
    `a job${run === undefined ? '' : ` of run ${run.split('#').at(-1)}`}, set off by ${by.name}, was denied ${value.name}`,
  atLeast: ({ policies }) => policies,
  withinMs: ({ windowMs }) => windowMs,
  found: (repository, policies, { windowMs }) => ({
    subject: repository.name,
    title: `Jobs of ${repository.name} were denied ${policies.length} policies of access within ${Math.ceil(windowMs / 60_000)} minutes`,
    summary: `They asked for ${policies
      .map(({ name }) => name)
      .slice(0, 10)
      .join(', ')}, and were given none of them. Whoever runs code there tries what it may have.`,
    remedy: [
      'Read the run’s workflow, and by whom it was changed: it asks for what is not its own.',
      '`tripline access explain` says of each request which conditions failed.',
    ],
  }),
});
