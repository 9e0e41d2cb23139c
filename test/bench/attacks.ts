import { createChance, makeCorpus } from './corpus.ts';
import { type Delivery, unreviewedBuild } from './timelines.ts';

/** A stretch of traffic with attacks woven in. `runs`: index of the delivery that decides → the run that must be told of. */
export type Woven = { deliveries: Delivery[]; runs: Map<number, string> };

/**
 * Honest traffic at a steady rate, with an unreviewed build woven in `findingsPerSecond` times a second. Each is in an
 * organisation of its own, so that each is an incident of its own.
 */
export function weave(options: {
  ratePerSecond: number;
  findings: number;
  findingsPerSecond: number;
  seed?: number;
}): Woven {
  const { findings, seed = 71 } = options;
  const gap = Math.ceil(options.ratePerSecond / options.findingsPerSecond);
  const startMs = Date.now();
  const honest = makeCorpus({ deliveries: gap * findings, workspaces: 100, attackEvery: 1e9, seed, startMs });
  const chance = createChance(900_000_000 + seed);
  const deliveries: Delivery[] = [];
  const runs = new Map<number, string>();
  for (let index = 0; index < findings; index += 1) {
    deliveries.push(...honest.deliveries.slice(index * gap, (index + 1) * gap));
    const { steps, attack } = unreviewedBuild({ organization: `attacked-${seed}-${index}`, chance, tips: new Map() });
    for (const tell of steps.slice(0, attack!.deciding + 1)) deliveries.push(tell(new Date().toISOString()));
    runs.set(deliveries.length - 1, attack!.mark);
  }
  return { deliveries, runs };
}
