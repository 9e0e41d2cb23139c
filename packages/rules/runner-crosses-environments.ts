import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { matches } from '@tripline/facts/ref-patterns';
import { runnerClasses } from '@tripline/facts/runner-classes';
import { isRunnerClassKey } from '@tripline/facts/runner-keys';
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
type Context = ConcludeContext<Settings>;

export const rule = defineRule<unknown, Settings>({
  id: 'runner-crosses-environments',
  title: 'One runner serves production and a lower tier',
  description:
    'A self-hosted runner took a job for an environment of production and one for a lower tier, as `production` and `lower` name them: who may deploy to the lower one leaves something behind for the job that holds production’s credentials. ' +
    'Found once a pool (a group, the labels that its production jobs ask for, how names begin), by the first of its runners that come to do so, since each of them may get either job; a pool of which one did so while the workspace was learned, or was accepted, is usual. Runners that take one job each never cross.',
  severity: 'medium',
  confidence: 'high',
  principles: [4],
  attack: ['T1078.004'],
  owasp: ['CICD-SEC-5', 'CICD-SEC-7'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'One pool for all tiers, by decision: resolve it as accepted, once for the pool.',
    'Environments that are called so and are none of a tier: other patterns under `production` and `lower`.',
  ],
  limits: [
    'Jobs that deploy without naming an environment.',
    'A pool whose machines share a disk or a host: each runner is looked at alone.',
    'Of a pool of more than 32 machines those beyond are found each, where none of the others does so.',
  ],
  reads: [],
  settings: settings as z.ZodType<Settings>,
  learns: true,
  concludes: {
    uses: [runners, runs, runnerClasses],
    about: [runners],
    subjects({ fact, key, value, before }, of) {
      if (fact !== runners.id) return [];
      const crossings = [value, before].flatMap((one) => crossingOf(one as Runner | undefined, of) ?? []);
      return crossings.length === 0 ? [] : [key, ...crossings.flatMap(({ high }) => high.classKey ?? [])];
    },
    conclude(subject, context) {
      if (isRunnerClassKey(subject)) return found(crossingsOf(subject, context), context);
      const own = crossedBy(subject, context);
      return own === undefined || isToldByPool(own, context) ? [] : found([own], context);
    },
  },
});

/** The first jobs by which a runner came to serve both; the pool is that of the production job. */
type Crossing = { high: Work; low: Work };
type Crossed = Crossing & { key: string; runner: Runner };
function crossingOf(runner: Runner | undefined, { production, lower }: Settings): Crossing | undefined {
  // Letters that only Unicode folds find more here and hide nothing: the first job of either kind stands.
  const isOf = (of: readonly string[]) => (work: Work) =>
    work.environment !== undefined && of.some((one) => matches(one.toLowerCase(), work.environment!.toLowerCase()));
  const [high, low] = [runner?.work.find(isOf(production)), runner?.work.find(isOf(lower))];
  return high === undefined || low === undefined ? undefined : { high, low };
}

/** Whoever opens a change from a fork names the environments of its run. */
function withoutForks(runner: Runner, { watch }: Context): Runner {
  const isOfFork = ({ runKey }: Work) =>
    runKey !== undefined && watch(runs, runKey)?.attempts.some(({ fork }) => fork === true) === true;
  return { ...runner, work: runner.work.filter((work) => work.environment === undefined || !isOfFork(work)) };
}

function crossedBy(key: string, context: Context): Crossed | undefined {
  const runner = context.watch(runners, key);
  if (crossingOf(runner, context.settings) === undefined) return undefined;
  const crossing = crossingOf(withoutForks(runner!, context), context.settings);
  return crossing && { key, runner: runner!, ...crossing };
}
/** Of a pool, those of its runners that crossed as ones of it. */
function crossingsOf(classKey: string, context: Context): Crossed[] {
  const members = context.watch(runnerClasses, classKey)?.members ?? [];
  return members.flatMap(({ key }) => {
    const one = crossedBy(key, context);
    return one?.high.classKey === classKey ? [one] : [];
  });
}
function isToldByPool({ key, high: { classKey } }: Crossed, context: Context): boolean {
  if (classKey === undefined) return false;
  const members = context.watch(runnerClasses, classKey)?.members ?? [];
  return members.some((one) => one.key === key) || crossingsOf(classKey, context).length > 0;
}

const crossedMs = ({ high, low }: Crossing): number => Math.max(parseTime(high.time), parseTime(low.time));

/** One finding of all that crossed, named by the first. */
function found(crossed: readonly Crossed[], { unlistedLearnedUntilMs, watch }: Context): Conclusion[] {
  // It was always so, of one of them, which no inventory tells.
  if (crossed.some(({ high, low }) => Math.max(high.heardMs, low.heardMs) < unlistedLearnedUntilMs)) return [];
  const isAccepted = (one: Crossed) =>
    [one.runner, watch(runnerClasses, one.high.classKey ?? '')].some(
      (known) => known?.accepted?.isAccepted === true && parseTime(known.accepted.time) <= crossedMs(one),
    );
  const those = crossed
    .filter((one) => !isAccepted(one))
    .sort((a, b) => crossedMs(a) - crossedMs(b) || (a.key < b.key ? -1 : 1));
  const [first] = those;
  if (first === undefined) return [];
  const { key, runner, high, low } = first;
  const [name, production, other] = [clip(runner.name, 100), high.environment!, low.environment!];
  const pool = high.classKey === undefined ? [] : [entityOf('runner', high.classKey)];
  return [
    conclusionOf<never>(
      {
        ...{ subject: `runner:${name}`, occasion: 'crosses tiers' },
        because: those
          .slice(0, mostNamed)
          .flatMap((one) => [one.high, one.low].map((work) => jobOn(one.key, one.runner, work))),
        title: `Runner ${name} serves ${production} and ${other}`,
        summary: `${name} took a job for ${production} and one for ${other}, and any other of its pool may. Who may deploy to ${other} can leave something on it for the job that holds the credentials of ${production}.`,
        entities: [
          ...those.slice(0, mostNamed).map((one) => entityOf('runner', one.key)),
          ...pool,
          ...[production, other].map((environment) => entityOf('environment', environment)),
        ],
        response: isolating(key, runner),
        remedy: [
          `Give ${production} runners of its own, in a group that only its workflows reach.`,
          `Build ${name} anew before it serves ${production} again.`,
          'If one pool is to serve all: resolve it as accepted, and say why.',
        ],
      },
      () => {
        throw new Error('it rests on shared facts alone');
      },
    ),
  ];
}
/** As many runners a finding names: a pool may have hundreds. */
const mostNamed = 5;
