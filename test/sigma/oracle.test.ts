import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { differences, looser } from './compare.ts';
import { brokenCasesOf, casesOf } from './generate.ts';

/** Recorded by `npm run sigma:oracle -- --write`, which asks the evaluators themselves and takes any number of seeds. */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'verdicts.json'), 'utf8')) as {
  seed: number;
  rules: number;
  records: number;
  /** Of the rules and records that were judged. */
  sha256: string;
  matched: Record<string, number[]>;
  taken: string[];
};

describe('Sigma rules', () => {
  test('match the records that RSigma says', () => {
    const cases = casesOf(recorded.seed, recorded);
    expect(cases.sha256, 'other cases: record their verdicts by `npm run sigma:oracle -- --write`').toBe(
      recorded.sha256,
    );
    expect(Object.values(recorded.matched).flat().length).toBeGreaterThan(1000);
    expect(differences(cases, new Map(Object.entries(recorded.matched)))).toEqual([]);
  });

  test('run only where pySigma can parse them, however they are broken', () => {
    const broken = brokenCasesOf(recorded.seed, recorded.rules);
    const taken = new Set(recorded.taken);
    expect(taken.size).toBeGreaterThan(50);
    expect(taken.size).toBeLessThan(broken.length - 50);
    const faults = Object.fromEntries(broken.map(({ id }) => [id, taken.has(id) ? null : 'not taken']));
    expect(looser(broken, faults)).toEqual([]);
  });
});
