import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './access-policy-first-grant.ts';

test('the first grant of a policy informs, once, and again when the policy is another', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00          ada  mints g1 for run 7 of acme/app (by policy deploy; as v1)   ← FOUND policy deploy [low/high]
    09:01          ada  mints g2 for run 8 of acme/app (by policy deploy; as v1)
    09:02          ada  mints g3 for run 8 of acme/app (by policy publish; as v1)  ← FOUND policy publish [low/high]
    day 3  09:00   bea  mints g4 for run 9 of acme/app (by policy deploy; as v2)   ← FOUND policy deploy [low/high]
    day 40 09:00   bea  mints g5 for run 10 of acme/app (by policy deploy; as v2)
    `,
  );
  expect(findings.map(({ entities }) => entities)).toEqual([[], [], []]);
});

test('a mint of a broker that does not say how its policy stands is none', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  mints g1 for run 7 of acme/app (by policy deploy)
    `,
  );
});
