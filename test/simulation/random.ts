import { seeded } from '@tripline/testing/timeline/any-order';

/** Chance under a seed (mulberry32): the same seed draws the same. */
export type Random = {
  /** 0 ≤ x < 1. */
  next: () => number;
  /** `from` ≤ x ≤ `to`, whole. */
  int: (from: number, to: number) => number;
  chance: (probability: number) => boolean;
  pick: <T>(items: readonly T[]) => T;
  /** A generator of its own, so that what is drawn in one place does not shift what is drawn in another. */
  fork: (name: string) => Random;
};

export function createRandom(seed: number): Random {
  const next = seeded(seed);
  const int = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (items) => items[int(0, items.length - 1)]!,
    fork: (name) =>
      createRandom([...name].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x9e3779b1), seed | 0)),
  };
}
