import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './commit-identity-mismatch.ts';

const ci = 'touching .github/workflows/hook.yml';

test('a workflow in the name of Dependabot, pushed by a person', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  pushes evil to acme/app main (${ci}; made as dependabot[bot])   ← FOUND acme/app@evil [high/high]
    `,
  );
  expect(findings[0]!.title).toBe('ada changed .github/workflows/hook.yml of acme/app in the name of dependabot[bot]');
  expect(findings[0]!.entities.map(({ kind, id }) => `${kind} ${id}`)).toContain('user ada');
});

test('in the name of another bot, or of somebody who may write', () => {
  expectTimeline(
    rule,
    `
    08:00  carol    pushes c0 to acme/app main
    09:00  mallory  pushes a1 to acme/app x (${ci}; made as deployer[bot])   ← FOUND acme/app@a1 [medium]
    09:01  mallory  pushes a2 to acme/app x (${ci}; made as carol)   ← FOUND acme/app@a2 [medium]
    09:02  mallory  pushes a3 to acme/app x (${ci}; made as a-stranger)
    `,
  );
});

test('what bots push themselves, rebases, picks, merges and what a fork brought are work', () => {
  expectTimeline(
    rule,
    `
    08:00  carol  pushes c0 to acme/app main
    08:01  dependabot[bot]  pushes d1 to acme/app dependabot/actions (${ci}; made as dependabot[bot])
    # Somebody takes the very commit over to another branch, or rebases it.
    08:02  ada    pushes d1 to acme/app main (${ci}; made as dependabot[bot])
    08:03  ada    pushes d2 to acme/app main (${ci}; made as dependabot[bot]; committed by ada)
    # By the provider's pages.
    08:04  ada    pushes d3 to acme/app main (${ci}; made as dependabot[bot]; committed by web-flow)
    08:05  ada    pushes c1 to acme/app main (${ci}; made as carol; committed by ada)
    # Carol works in a fork, and Ada merges by hand.
    08:06  carol  opens #7 in acme/app from x at c2 (of fork carol)
    08:07  ada    pushes c2 to acme/app main (${ci}; made as carol)
    08:08  ada    pushes c3 to acme/app main (made as dependabot[bot])
    08:09  sync[bot]  pushes c4 to acme/app main (${ci}; made as carol)
    `,
  );
});

test('that it was theirs, received late, takes it back', () => {
  expectTimeline(
    rule,
    `
    08:01  dependabot[bot]  pushes d1 to acme/app dependabot/actions (${ci}; made as dependabot[bot]; heard 10:00)   ← RETRACTED acme/app@d1
    08:02  ada    pushes d1 to acme/app main (${ci}; made as dependabot[bot])   ← FOUND acme/app@d1
    `,
  );
});
