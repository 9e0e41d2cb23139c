import { isOfPool, pool } from '@tripline/facts/runner-classes';
import { type Runner, runners } from '@tripline/facts/runners';
import { entityOf } from '@tripline/facts/things';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { isolating, jobOn } from './runner-words.ts';

export const rule = conclusion({
  id: 'ephemeral-runner-reused',
  title: 'Runner that is made for one job took a second one',
  description:
    'A self-hosted runner that was registered for one job only (GitHub: just in time), or one of a pool that `pools` names, took another job: what the first one left there, the second one runs on. ' +
    'Whoever keeps such a runner alive waits for the next job’s secrets. Machines that are meant to stay are passed over.',
  severity: 'high',
  principles: [4],
  attack: ['T1554'],
  owasp: ['CICD-SEC-7'],
  feeds: { needs: ['github-audit', 'github'] },
  falseAlarms: ['A pool under `pools` whose runners do take several jobs: take it out there.'],
  limits: [
    'With webhooks alone nobody tells that a runner is for one job: then only pools that are named under `pools` are watched.',
    'A runner that is registered anew, under another number or name, after its first job: it passes for another.',
  ],
  settings: {
    /** Pools whose runners take one job each, by their group, how names begin, and labels. */
    pools: z.array(pool).max(100).default([]),
  },
  about: runners,
  where: ({ jobs, registrations, work, name }: Runner, { pools }) =>
    jobs.length > 1 &&
    (registrations.some(({ singleUse }) => singleUse) ||
      work.some((one) => pools.some((of) => isOfPool(of, name, one)))),
  conclude(runner, { key }) {
    const { name, work, registrations } = runner;
    const told = registrations.filter(({ singleUse }) => singleUse);
    const by = told.map((one) => ({ fact: runners, key, seen: one, what: `${name} was registered for one job` }));
    const because = [...by, ...work.map((one) => jobOn(key, runner, one))];
    if (because.length === 0) return [];
    return [
      {
        ...{ subject: `runner:${name}`, occasion: 'second job', because },
        title: `Runner ${name}, which is made for one job, took a second one`,
        summary: `${name} is made for one job and gone after it, and it took another. What the first one left there had the second one’s code and secrets in reach.`,
        entities: [entityOf('runner', key)],
        response: isolating(key, runner),
        remedy: [
          `Take ${name} out of service, look at why it was there after its first job, and build its image anew.`,
          'Rotate what its later jobs were given.',
        ],
      },
    ];
  },
});
