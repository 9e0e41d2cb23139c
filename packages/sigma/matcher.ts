import type { SigmaRecord } from './record.ts';

export type Test = (record: SigmaRecord) => boolean;
/**
 * A test, and the actions of which a record must have one for it to hold, in lower case; absent where any may. By them a rule
 * is found without being asked, so that hundreds cost a record nothing.
 */
export type Matcher = { test: Test; actions?: ReadonlySet<string> };

/** Holds where all hold: the fewest actions of one of them are the most that it can hold for. */
export function every(matchers: readonly Matcher[]): Matcher {
  if (matchers.length === 1) return matchers[0]!;
  const tests = matchers.map(({ test }) => test);
  const [fewest] = matchers.flatMap(({ actions }) => actions ?? []).sort((a, b) => a.size - b.size);
  return of((record) => tests.every((test) => test(record)), fewest);
}

/** Holds where one holds: it can be found by its actions only where each of them can. */
export function some(matchers: readonly Matcher[]): Matcher {
  if (matchers.length === 1) return matchers[0]!;
  const tests = matchers.map(({ test }) => test);
  const isAnyOpen = matchers.some(({ actions }) => actions === undefined);
  const all = isAnyOpen ? undefined : new Set(matchers.flatMap(({ actions }) => [...(actions ?? [])]));
  return of((record) => tests.some((test) => test(record)), all);
}

/** Holds where the other does not, whatever the action. */
export const not = ({ test }: Matcher): Matcher => ({ test: (record) => !test(record) });

const of = (test: Test, actions: ReadonlySet<string> | undefined): Matcher =>
  actions === undefined ? { test } : { test, actions };
