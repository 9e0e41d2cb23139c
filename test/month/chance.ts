import { seeded } from '@tripline/testing/timeline/any-order';

/** Chance under a seed: the same seed draws the same month. */
export type Chance = ReturnType<typeof createChance>;

/** What is known of a quantity: how much half, nine tenths and so on of all have at most. */
export type Spread = { p50: number; p90: number; p99?: number; max?: number };

export function createChance(seed: number) {
  const next = seeded(seed);
  let serial = 10_000_000 + seed;
  const upTo = (below: number) => Math.floor(next() * below);

  return {
    /** A whole number from 0 to `below` - 1. */
    upTo,
    /** Between two numbers. */
    between: (low: number, high: number) => low + next() * (high - low),
    /** True in so many of a hundred. */
    percent: (of: number) => next() * 100 < of,
    pick: <T>(from: readonly T[]): T => {
      const one = from[upTo(from.length)];
      if (one === undefined) throw new Error('there is nothing to pick from');
      return one;
    },
    /** One of several, each as often as its weight says. */
    weighted<T>(from: readonly { weight: number; of: T }[]): T {
      let left = next() * from.reduce((sum, { weight }) => sum + weight, 0);
      for (const { weight, of } of from) {
        left -= weight;
        if (left < 0) return of;
      }
      return from.at(-1)!.of;
    },
    /** A quantity of which only some quantiles are known: straight between them. */
    spread({ p50, p90, p99 = p90 * 3, max = p99 * 1.5 }: Spread): number {
      const at = next();
      const known = [
        [0, 0],
        [0.5, p50],
        [0.9, p90],
        [0.99, p99],
        [1, max],
      ] as const;
      const above = known.findIndex(([part]) => at < part);
      const [[from, low], [to, high]] = [known[above - 1]!, known[above]!];
      return low + ((at - from) / (to - from)) * (high - low);
    },
    /** Forty hexadecimal digits. */
    sha: () => Array.from({ length: 40 }, () => upTo(16).toString(16)).join(''),
    serial: () => ++serial,
  };
}
