import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { matches } from '@tripline/facts/ref-patterns';
import { type Runner, runners, type Work } from '@tripline/facts/runners';
import { runs } from '@tripline/facts/runs';
import { entityOf } from '@tripline/facts/things';
import { z } from 'zod';
import { conclusionOf } from './builders/basis.ts';
import { isolating, jobOn } from './runner-words.ts';

const patterns = z.array(z.string().min(1).max(200)).max(100);
const settings = z.strictObject({
  /** Environments of production, as patterns, in any case. */
  production: patterns.default(['prod*', 'live*']),
  /** Environments of a lower tier. What is in neither list counts for none. */
  lower: patterns.default(['dev*', 'test*', 'stag*', 'qa*', 'uat*', 'preview*', 'review*', 'sandbox*']),
});
type Settings = z.output<typeof settings>;

export const rule = defineRule<unknown, Settings>({
  id: 'runner-crosses-environments',
  title: 'One runner serves production and a lower tier',
  description:
    'A self-hosted runner took a job for an environment of production and one for a lower tier, as `production` and `lower` name them: who may deploy to the lower one leaves something behind for the job that holds production’s credentials. ' +
    'Found once a runner, when it comes to be so: runners that served both while the workspace was learned are usual. Runners that take one job each never cross.',
  severity: 'medium',
  confidence: 'high',
  principles: [4],
  attack: ['T1078.004'],
  owasp: ['CICD-SEC-5', 'CICD-SEC-7'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'One pool for all tiers, by decision: resolve it as accepted, or an exception for its runners.',
    'Environments that are called so and are none of a tier: other patterns under `production` and `lower`.',
  ],
  limits: [
    'Jobs that deploy without naming an environment.',
    'A pool whose machines share a disk or a host: each runner is looked at alone.',
  ],
  reads: [],
  settings: settings as z.ZodType<Settings>,
  learns: true,
  concludes: {
    uses: [runners, runs],
    about: [runners],
    subjects({ fact, key, value, before }, of) {
      if (fact !== runners.id) return [];
      return [value, before].some((one) => crossingOf(one as Runner | undefined, of) !== undefined) ? [key] : [];
    },
    conclude(key, context) {
      const runner = context.read(runners, key);
      const crossing = runner && crossingOf(withoutForks(runner, context), context.settings);
      return crossing === undefined ? [] : found(key, runner!, crossing, context);
    },
  },
});

type Crossing = { high: Work; low: Work };
function crossingOf(runner: Runner | undefined, { production, lower }: Settings): Crossing | undefined {
  const isOf = (of: readonly string[]) => (work: Work) =>
    work.environment !== undefined && of.some((one) => matches(one.toLowerCase(), work.environment!.toLowerCase()));
  const [high, low] = [runner?.work.find(isOf(production)), runner?.work.find(isOf(lower))];
  return high === undefined || low === undefined ? undefined : { high, low };
}

/** Whoever opens a change from a fork names the environments of its run. */
function withoutForks(runner: Runner, { watch }: ConcludeContext<Settings>): Runner {
  const isOfFork = ({ runKey }: Work) =>
    runKey !== undefined && watch(runs, runKey)?.attempts.some(({ fork }) => fork === true) === true;
  return { ...runner, work: runner.work.filter((work) => work.environment === undefined || !isOfFork(work)) };
}

function found(
  key: string,
  runner: Runner,
  { high, low }: Crossing,
  { learnedUntilMs }: ConcludeContext<Settings>,
): Conclusion[] {
  const { name, accepted } = runner;
  const crossedMs = Math.max(parseTime(high.time), parseTime(low.time));
  // It was so on day one, or somebody said before that it may.
  if (Math.max(high.heardMs, low.heardMs) < learnedUntilMs) return [];
  if (accepted?.isAccepted === true && parseTime(accepted.time) <= crossedMs) return [];
  const [production, other] = [high.environment!, low.environment!];
  return [
    conclusionOf<never>(
      {
        ...{ subject: `runner:${name}`, occasion: 'crosses tiers' },
        because: [high, low].map((work) => jobOn(key, runner, work)),
        title: `Runner ${name} serves ${production} and ${other}`,
        summary: `${name} took a job for ${production} and one for ${other}. Who may deploy to ${other} can leave something on it for the job that holds the credentials of ${production}.`,
        entities: [entityOf('runner', key), entityOf('environment', production), entityOf('environment', other)],
        response: isolating(key, runner),
        remedy: [
          `Give ${production} runners of its own, in a group that only its workflows reach.`,
          `Build ${name} anew before it serves ${production} again.`,
        ],
      },
      () => {
        throw new Error('it rests on shared facts alone');
      },
    ),
  ];
}
