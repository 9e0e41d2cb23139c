import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { usualPlace } from '@tripline/contracts/place';
import type { Intent } from '@tripline/contracts/response';
import { runKeyOf, runNameOf } from '@tripline/facts/things';
import { networkOf } from '@tripline/facts/token-uses';
import { z } from 'zod';
import { type Named, targetOf } from './builders/seen.ts';
import { type Counted, valueCount } from './builders/value-count.ts';
import { endingAccessOf } from './minted-words.ts';

/** One job. A machine has an address of each family, so that each is looked at by itself. */
function jobOf(event: LoggedEvent): Named | undefined {
  const data: Attributes = event.data;
  const [key, name] = [runKeyOf(event), runNameOf(event)];
  if (key === undefined || name === undefined) return undefined;
  const { 'tripline.pipeline.run.attempt': attempt = 1, 'cicd.pipeline.task.check_run.id': job } = data;
  // Of which job of a run it is must be known: others run elsewhere.
  if (job === undefined) return undefined;
  const family = data['client.address']?.includes(':') ? 6 : 4;
  return { id: `${key} ${attempt} ${job} ${family}`, name };
}

function placeOf({ data }: LoggedEvent): Named | undefined {
  const network = networkOf(data as Attributes);
  return network === undefined ? undefined : { id: network, name: network };
}

/** The policy says where its jobs run, and this was elsewhere. */
const isOutside = ({ data }: LoggedEvent): boolean =>
  (data as Attributes)['tripline.access.reasons']?.some(({ condition }) => condition === 'network') === true;

function stopping({ run, repository, place = usualPlace }: Counted): Intent[] {
  const runId = run?.split('#').at(-1);
  if (run === undefined || runId === undefined || repository === undefined) return [];
  return [
    { action: 'stop-run', ...targetOf(repository, place), runId },
    ...endingAccessOf({ key: run, name: `${repository.name}#${runId}` }),
  ];
}

export const rule = valueCount({
  id: 'access-asked-from-elsewhere',
  title: 'One job’s identity was shown to the broker from two networks',
  description:
    'Id tokens of one and the same job came to the access broker from two networks (`203.0.113.0/24`, `2001:db8:1::/48`) within `windowMs`. A job runs on one machine: whoever read its request token asks in its name from elsewhere. ' +
    'It is high where one of the networks is none that the policy says its jobs run in; else medium. What a dry run would have decided counts too.',
  severity: 'high',
  confidence: 'medium',
  principles: [2],
  attack: ['T1528', 'T1550.001'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-6'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'Machines of your own that leave by several networks in turn: give them one way out, say it as `runner.network`, or make an exception for their repository.',
    'A proxy before the broker that is not named in `broker.proxies`.',
  ],
  limits: [
    'A thief who comes by IPv6 while the job came by IPv4, or the other way round: a machine has an address of each, so that they are not compared.',
    'A token that is shown from the job’s own machine or network, as by a poisoned step: `credential-context-drift` and the policy’s own conditions.',
    'Jobs whose token names no job (Enterprise Server).',
    'A token that was shown before is refused and told by nobody; fresh ones are told.',
  ],
  on: ['dev.cdeventsx.tripline-access.decided'],
  settings: {
    windowMs: z
      .int()
      .min(1000)
      .max(86_400_000)
      .default(6 * 3_600_000),
  },
  by: jobOf,
  value: placeOf,
  via: (event) => (isOutside(event) ? 'outside' : undefined),
  tell: ({ value, via }) =>
    `the job asked from ${value.name}${via === undefined ? '' : ', where the policy’s jobs do not run'}`,
  atLeast: () => 2,
  withinMs: ({ windowMs }) => windowMs,
  again: () => 'each day',
  found: (job, networks, _settings, sights) => ({
    subject: job.name,
    severity: sights.some(({ via }) => via !== undefined) ? 'high' : 'medium',
    confidence: 'medium',
    title: `A job of ${job.name} asked for access from ${networks.map(({ name }) => name).join(' and ')}`,
    summary: `Its id tokens came from ${networks.map(({ name }) => name).join(' and ')}, and a job runs on one machine. Whoever has its request token gets what it may have.`,
    response: stopping(sights[0]!),
    remedy: [
      'Stop the run, and end what it was given: `tripline access revoke`.',
      'Read what the job runs beside its own steps: an action, a dependency or a shared machine that reads its environment.',
    ],
  }),
});
