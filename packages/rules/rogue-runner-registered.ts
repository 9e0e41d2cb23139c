import type { Intent } from '@tripline/contracts/response';
import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { monthOf, type Registered, type Registrar, registrars } from '@tripline/facts/registrars';
import { placeOfKey, readRunnerKey } from '@tripline/facts/runner-keys';
import { type Runner, runners } from '@tripline/facts/runners';
import { entityOf, personOf } from '@tripline/facts/things';
import { z } from 'zod';
import { because, namedOnce } from './evidence.ts';
import { runnersOfWorms } from './known-worms.ts';

const settings = z.strictObject({
  /** Names of runners that only malware gives, in any case, beside those that are known. */
  knownBadNames: z.array(z.string().min(3).max(100)).max(100).default([]),
});
type Settings = z.output<typeof settings>;
type Context = ConcludeContext<Settings>;

export const rule = defineRule<unknown, Settings>({
  id: 'rogue-runner-registered',
  title: 'Runner registered by somebody who never registered one',
  description:
    'An account registered a self-hosted runner and was never seen to while the workspace was learned: whoever registers a machine is handed jobs, with their code and secrets, or keeps a way in. ' +
    'Medium; high for a public repository, where every stranger can have jobs run on it; low for an app that registers runners for one job each, as controllers of pools do. ' +
    'Found once a month and account, until somebody resolves it as accepted. ' +
    'A runner with a name that only malware gives is critical, by its registration or the first job that it takes.',
  severity: 'critical',
  confidence: 'high',
  principles: [4],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-7'],
  feeds: {
    needs: ['github-audit'],
    better: { github: 'tells of the first job, by which names of malware are known without an audit log' },
  },
  falseAlarms: ['A new colleague who runs the machines, or a controller that is new: resolve it as accepted.'],
  limits: [
    'With webhooks alone nobody tells who registered a runner: then only names of malware are found, and `credential-new-runner` finds what an unknown machine is given.',
    'A registration by the account of somebody who always registers runners.',
  ],
  reads: [],
  settings: settings as z.ZodType<Settings>,
  learns: true,
  concludes: {
    uses: [registrars, runners],
    about: [registrars, runners],
    subjects({ fact, key }, { knownBadNames }) {
      if (fact === registrars.id) return [key];
      return isBad(readRunnerKey(key)?.name ?? '', knownBadNames) ? [key] : [];
    },
    conclude(key, context) {
      const runner = readRunnerKey(key) === undefined ? undefined : context.read(runners, key);
      if (runner !== undefined) return ofMalware(key, runner);
      const registrar = context.read(registrars, key);
      return registrar === undefined ? [] : byStranger(key, registrar, context);
    },
  },
});

const isBad = (name: string, more: readonly string[]): boolean =>
  [...runnersOfWorms, ...more].some((bad) => name.toLowerCase() === bad.toLowerCase());

function ofMalware(key: string, { id, name, registrations, work }: Runner): Conclusion[] {
  const seen = [
    ...registrations.map((one) => ({
      ...because(runners, key, one, `${one.by ?? 'Somebody'} registered runner ${name}`),
      act: one.eventId,
    })),
    ...work.slice(0, 5).map((one) => because(runners, key, one, `Job ${one.job} of ${one.repository} ran on ${name}`)),
  ];
  if (seen.length === 0) return [];
  const place = placeOfKey(key);
  const [first] = work;
  const runs = new Map(
    work.flatMap(({ run, repository, repositoryId }) =>
      run === undefined ? [] : [[run, { repository, repositoryId }]],
    ),
  );
  return [
    {
      subject: `runner:${name}`,
      occasion: 'name',
      severity: 'critical',
      title: clip(`Runner ${name} has a name that only malware gives`, 300),
      summary: `A self-hosted runner was registered as ${name}, as a worm does that keeps a way into what it has infected.`,
      because: seen,
      entities: [
        entityOf('runner', key),
        ...namedOnce(
          work.map(({ repository }) => entityOf('repository', repository)),
          name,
        ),
      ],
      response: [
        ...[...runs].slice(0, 5).map(([run, { repository, repositoryId }]): Intent => {
          const of = { repository, ...(repositoryId === undefined ? {} : { repositoryId }) };
          return { action: 'stop-run', ...place, ...of, runId: run.slice(run.lastIndexOf('#') + 1) };
        }),
        ...(first === undefined ? [] : [isolating(key, first.owner, undefined, { id, name })]),
      ],
      remedy: remedyFor('whoever registered it', name),
    },
  ];
}

/** Of each month one, until somebody accepted a runner that they registered before. */
function byStranger(key: string, { by, heardMs, registrations }: Registrar, context: Context): Conclusion[] {
  // An inventory lists machines and not who registers them, as apps do all day; people seldom do.
  if (heardMs < (by.type === 'Bot' ? context.unlistedLearnedUntilMs : context.learnedUntilMs)) return [];
  return [...Map.groupBy(registrations, monthOf)].flatMap(([month, those]) => {
    const [first] = those as [Registered];
    const accepted = registrations.find(({ runnerKey, time }) => {
      const act = parseTime(time) <= parseTime(first.time) ? context.watch(runners, runnerKey)?.accepted : undefined;
      return act?.isAccepted === true && parseTime(act.time) <= parseTime(first.time);
    });
    if (accepted !== undefined) return [];
    const names = [...new Set(those.map(({ runnerName }) => runnerName))].join(', ');
    const isController = by.type === 'Bot' && those.every(({ singleUse }) => singleUse);
    const where = first.repository ?? first.organization ?? 'the enterprise';
    return [
      {
        subject: `user:${by.login}`,
        occasion: `registers ${month}`,
        severity: those.some(({ isPublic }) => isPublic) ? 'high' : isController ? 'low' : 'medium',
        title: clip(`${by.login} registered runner ${names} in ${where}, and never did so before`, 300),
        summary:
          `${by.login} registered ${names} in ${where}; nobody saw them register a machine while this workspace was learned. ` +
          'Whatever jobs it is handed it sees, with their code and what they are given.',
        because: those.map((one) => ({
          ...because(registrars, key, one, `${by.login} registered runner ${one.runnerName} in ${where}`),
          act: one.eventId,
        })),
        entities: [
          personOf(by, key),
          ...those.map(({ runnerKey }) => entityOf('runner', runnerKey)),
          ...(first.repository === undefined ? [] : [entityOf('repository', first.repository)]),
        ],
        response: those.map(({ organization, repository, repositoryId, runnerId, runnerName }) =>
          isolating(key, organization ?? '', { repository, repositoryId }, { id: runnerId, name: runnerName }),
        ),
        remedy: remedyFor(by.login, names),
      } satisfies Conclusion,
    ];
  });
}

type Of = { repository?: string | undefined; repositoryId?: string | undefined };
function isolating(
  key: string,
  organization: string,
  of: Of | undefined,
  { id, name }: { id: string; name: string },
): Intent {
  const { repository, repositoryId } = of ?? {};
  return {
    ...{ action: 'isolate-runner', ...placeOfKey(key), runnerId: id, runnerName: clip(name, 128) },
    organization: organization || (repository?.split('/')[0] ?? ''),
    ...(repository === undefined ? {} : { repository }),
    ...(repositoryId === undefined ? {} : { repositoryId }),
  };
}

const remedyFor = (who: string, names: string): string[] => [
  `Ask ${who} on another channel whether ${names} is theirs, and which machine it is.`,
  `If not: remove ${names}, end their sessions and delete their tokens; rotate what its jobs were given.`,
  'Let only a group’s administrators register runners, and repositories none of their own.',
];
