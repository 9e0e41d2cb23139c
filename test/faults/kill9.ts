import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { warmUp } from './service-process.ts';
import { spread } from './spread.ts';
import type { Victim } from './victim.ts';

/** So many deaths in one life of a database. */
const seriesPoints = 25;
/** So many series at once. */
const lanes = 2;

/**
 * A service dies by SIGKILL at every place before and after its I/O, at the first, second, … time that it comes by; a
 * point is a place and a passing. After each series of deaths it runs on undisturbed, and what stands is held against
 * what must stand.
 */
export function kill9(victim: Victim): Fault {
  const plan = plannedPoints(victim);
  const all = plan.flat();
  return {
    name: `kill9-${victim.service}`,
    what: `kill -9 of the ${victim.service} before and after each I/O`,
    sizes: { ci: victim.sampled ?? 6, full: all.length, unit: 'points' },
    needsKafka: victim.needsKafka ?? false,
    run: async (ground, size) => {
      const { outcome, hit } = await run(ground, victim, spread(plan, size));
      // A point that no process comes by tries nothing: in full, each must have been passed.
      const never = size < all.length ? [] : [...new Set(all.map(nameOf))].filter((name) => !hit.has(name));
      const differences = [...outcome.differences, ...never.map((name) => `${name} was never passed`)];
      return { ...outcome, differences };
    },
  };
}

async function run(
  ground: Ground,
  victim: Victim,
  failpoints: readonly string[],
): Promise<{ outcome: FaultOutcome; hit: ReadonlySet<string> }> {
  await warmUp();
  const missed: string[] = [];
  const differences: string[] = [];
  const count = Math.max(Math.min(lanes, failpoints.length), Math.ceil(failpoints.length / seriesPoints));
  const queue = Array.from({ length: count }, (_, nth) => failpoints.filter((_, place) => place % count === nth));
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const result = await play(ground, victim, next);
      missed.push(...result.missed);
      differences.push(...result.differences);
      ground.say(`${next.length - result.missed.length} deaths, ${result.differences.length} differences`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  const hit = new Set(failpoints.filter((failpoint) => !missed.includes(failpoint)).map(nameOf));
  // Some places are passed in rare moments only, and are named then; were it many, the play would prove nothing.
  if (missed.length > failpoints.length / 4)
    differences.push(`${missed.length} of ${failpoints.length} points were never passed`);
  const outcome: FaultOutcome = {
    size: `${failpoints.length - missed.length} points at ${hit.size} places`,
    compared: victim.compared,
    differences,
    figure: missed.length > 0 ? `planned and never passed: ${missed.join(', ')}` : '',
  };
  return { outcome, hit };
}

const nameOf = (failpoint: string) => failpoint.split(':')[0]!;

/** The points of each place: its passings, in order. */
const plannedPoints = ({ points, passings, canPass }: Victim): string[][] =>
  points.map((point) =>
    Array.from({ length: passings }, (_, nth) => nth + 1).flatMap((passing) =>
      (canPass?.(point, passing) ?? true) ? [`${point}:${passing}`] : [],
    ),
  );

async function play(ground: Ground, victim: Victim, failpoints: readonly string[]) {
  const series = await victim.open(ground, failpoints);
  const missed: string[] = [];
  try {
    for (const failpoint of failpoints) if (!(await series.dieAt(failpoint))) missed.push(failpoint);
    return { missed, differences: await series.finish() };
  } finally {
    await series.close();
  }
}
