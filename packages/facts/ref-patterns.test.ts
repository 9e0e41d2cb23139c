import { expect, test } from 'vitest';
import { covers, matches } from './ref-patterns.ts';

test.each([
  ['main', 'main', true],
  ['main', 'mainline', false],
  ['*', 'main', true],
  ['*', 'release/1', false],
  ['release/*', 'release/1', true],
  ['release/*', 'release/1/hotfix', false],
  ['release/**/*', 'release/1', true],
  ['release/**/*', 'release/1/2/hotfix', true],
  ['release/**/*', 'released/1', false],
  ['**/*', 'release/1', true],
  ['*/**/*', 'main', false],
  ['v[0-9]*', 'v1.2.3', true],
  ['v[0-9]*', 'vnext', false],
  ['v[!0-9]*', 'vnext', true],
  ['hotfix-?', 'hotfix-1', true],
  ['hotfix-?', 'hotfix-', false],
  ['hotfix-?', 'hotfix-/', false],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
  ['[', '[', true],
  ['feature**', 'feature-x', true],
  ['', '', true],
])('%s and %s', (pattern, name, wanted) => {
  expect(matches(pattern, name)).toBe(wanted);
});

test('a ref has a type, and rulesets have words of their own', () => {
  const branch = (name: string) => ({ type: 'branch', name }) as const;
  expect(covers('~ALL', { type: 'tag', name: 'v1' })).toBe(true);
  expect(covers('refs/heads/main', branch('main'))).toBe(true);
  expect(covers('refs/heads/main', { type: 'tag', name: 'main' })).toBe(false);
  expect(covers('refs/tags/v*', { type: 'tag', name: 'v1' })).toBe(true);
  expect(covers('~DEFAULT_BRANCH', branch('trunk'), 'trunk')).toBe(true);
  expect(covers('~DEFAULT_BRANCH', branch('main'), 'trunk')).toBe(false);
  expect(covers('~DEFAULT_BRANCH', branch('master'))).toBe(true);
  expect(covers('~DEFAULT_BRANCH', { type: 'tag', name: 'trunk' }, 'trunk')).toBe(false);
});

test('a name of a stranger’s choice costs no more than its length', () => {
  const begunMs = performance.now();
  expect(matches('*a'.repeat(100), 'a'.repeat(255))).toBe(true);
  expect(matches(`${'**/'.repeat(50)}x`, `${'a/'.repeat(120)}y`)).toBe(false);
  expect(performance.now() - begunMs).toBeLessThan(1000);
});
