import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './credential-left-alive.ts';

test('what could not be revoked is found once, and says when it is dead', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  mints g1 for run 7 of acme/app (token h1)
    09:06  ada  cannot revoke g1 (token h1)                 ← FOUND access:g1 [high/high]
    09:07  ada  cannot revoke g1 (token h1)
    09:20  ada  revokes g1 (token h1)
    `,
  );
  expect(findings).toHaveLength(1);
});

test('two credentials of one grant are two', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  mints g1 for run 7 of acme/app (token h1)
    09:00  ada  mints g1 for run 7 of acme/app (kind vault; token v1)
    09:06  ada  cannot revoke g1 (token h1)                 ← FOUND access:g1
    09:06  ada  cannot revoke g1 (kind vault; token v1)     ← FOUND access:g1
    `,
  );
});

test('what is revoked in time is none', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  mints g1 for run 7 of acme/app (token h1)
    09:05  ada  revokes g1 (token h1)
    `,
  );
});

test('what was asked for and never recorded is another rule’s', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  loses g1 of run 7 of acme/app (for 62)
    `,
  );
});
