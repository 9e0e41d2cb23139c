import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './mint-outcome-unknown.ts';

test('an outage is one finding an hour, which names what was asked for, and no repository as its own', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  loses g1 of run 7 of acme/app (for 62)      ← FOUND minting github for production [low/high]
    09:10  bea  loses g2 of run 8 of acme/web (for 62)
    09:20  ada  loses g3 of run 9 of acme/app (for 62)
    10:05  ada  loses g4 of run 9 of acme/app (for 62)      ← FOUND minting github for production
    `,
  );
  expect(findings).toHaveLength(2);
  expect(findings[0]!.entities).toEqual([]);
  expect(findings[0]!.evidence[0]!.what).toMatch(/policy deploy for a job of acme\/app#7; .* it lives until 2026/);
});

test('another kind, or another tier, is another', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  loses g1 of run 7 of acme/app (for 62)                ← FOUND minting github for production
    09:00  ada  loses g2 of run 7 of acme/app (kind aws; for 62)      ← FOUND minting aws for production
    09:00  ada  loses g3 of run 7 of acme/app (tier staging; for 62)  ← FOUND minting github for staging
    `,
  );
});

test('what its provider was asked for and is dead is none, nor is the end of a person’s right', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  loses g1 of run 7 of acme/app (kind vault; dead)
    09:01  ada  has g2 on acme/app ended
    `,
  );
});
