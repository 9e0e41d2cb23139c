import { expect, test } from 'vitest';
import { isRaised, rankOf, strongerOf } from './permission.ts';

test('a role of one’s own ranks above the named ones, also where it is called like a property of every object', () => {
  for (const role of ['release-manager', 'constructor', '__proto__', '']) expect(rankOf(role)).toBe(6);
  expect(strongerOf('admin', 'release-manager')).toBe('release-manager');
  expect(strongerOf('write', 'push')).toBe('write');
  expect(strongerOf(undefined, 'read')).toBe('read');
});

test.each([
  ['read', 'write', true],
  ['write', 'maintain', true],
  ['write', 'admin', true],
  ['write', 'release-manager', true],
  ['release-manager', 'security-manager', true],
  ['release-manager', 'admin', true],
  ['member', 'owner', true],
  [undefined, 'write', true],
  ['admin', 'write', false],
  ['write', 'push', false],
  ['ADMIN', 'admin', false],
  ['release-manager', 'release-manager', false],
  ['release-manager', 'read', false],
  ['none', 'triage', false],
  [undefined, 'read', false],
])('from %s to %s is more: %s', (before, after, more) => {
  expect(isRaised(before, after)).toBe(more);
});
