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

test('what was asked for and never recorded is low, and says until when it may live', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  loses g1 of run 7 of acme/app (for 62)      ← FOUND access:g1 [low/high]
    `,
  );
  expect(findings[0]!.summary).toContain('If it was made, it lives until 2026');
  expect(findings[0]!.entities.map(({ kind }) => kind)).toEqual(['run', 'repository']);
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
