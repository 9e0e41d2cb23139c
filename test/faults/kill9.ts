import type { Fault, Ground, Outcome } from './fault.ts';
import { detector } from './kill9.detector.ts';
import { recorder } from './kill9.recorder.ts';
import type { Victim } from './victim.ts';

const victims: readonly Victim[] = [detector, recorder];
/** So many deaths in one life of a database. */
const seriesPoints = 25;
/** So many series at once. */
const lanes = 2;

/**
 * Every service dies by SIGKILL at every place before and after its I/O, at the first, second, … time that it comes by;
 * a point is a place and a passing. After each series of deaths it runs on undisturbed, and what stands is held against
 * what must stand.
 */
export const kill9: Fault = {
  name: 'kill9',
  what: 'kill -9 before and after each I/O',
  sizes: { ci: 48, full: 1000, unit: 'points' },
  run,
};

type Plan = { victim: Victim; failpoints: string[] };

async function run(ground: Ground, size: number): Promise<Outcome> {
  const series = plan(size);
  const planned = series.flatMap(({ failpoints }) => failpoints);
  const hit = new Map<string, number>();
  const missed: string[] = [];
  const wrong: string[] = [];
  const queue = [...series];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const result = await play(ground, next);
      hit.set(next.victim.service, (hit.get(next.victim.service) ?? 0) + result.hit);
      missed.push(...result.missed);
      wrong.push(...result.differences.map((text) => `${next!.victim.service}: ${text}`));
      ground.say(`${next.victim.service}: ${result.hit} deaths, ${result.differences.length} differences`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  // A place that no process came by would prove nothing.
  const named = (failpoints: readonly string[]) => new Set(failpoints.map((failpoint) => failpoint.split(':')[0]!));
  const alive = named(planned.filter((failpoint) => !missed.includes(failpoint)));
  for (const name of named(missed)) if (!alive.has(name)) wrong.push(`nobody ever came by ${name}`);
  const deaths = [...hit].map(([service, count]) => `${service} ${count}`).join(', ');
  return {
    size: `${planned.length - missed.length} points (${deaths})`,
    compared: 'findings, incidents, jobs; trail; log and spool; messages; steps taken at GitHub',
    differences: wrong,
    figure: missed.length > 0 ? `${missed.length} more points were planned and never passed` : '',
  };
}

/** `size` points, spread evenly over services, places and passings, in series. */
function plan(size: number): Plan[] {
  const all = victims.flatMap((victim) =>
    Array.from({ length: victim.passings }, (_, passing) =>
      victim.points
        .filter((point) => victim.canPass?.(point, passing + 1) ?? true)
        .map((point) => ({ victim, failpoint: `${point}:${passing + 1}` })),
    ).flat(),
  );
  const count = Math.min(size, all.length);
  const chosen = Array.from({ length: count }, (_, place) => all[Math.floor((place * all.length) / count)]!);
  return [...Map.groupBy(chosen, ({ victim }) => victim)].flatMap(([victim, ofVictim]) => {
    const series = Math.ceil(ofVictim.length / seriesPoints);
    return Array.from({ length: series }, (_, nth) => ({
      victim,
      failpoints: ofVictim.filter((_, place) => place % series === nth).map(({ failpoint }) => failpoint),
    }));
  });
}

async function play(ground: Ground, { victim, failpoints }: Plan) {
  const series = await victim.open(ground, failpoints);
  const missed: string[] = [];
  try {
    for (const failpoint of failpoints) if (!(await series.dieAt(failpoint))) missed.push(failpoint);
    return { hit: failpoints.length - missed.length, missed, differences: await series.finish() };
  } finally {
    await series.close();
  }
}
