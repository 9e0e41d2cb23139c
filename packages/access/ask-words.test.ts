import { expect, test } from 'vitest';
import { readAskedRight, readSpan } from './ask-words.ts';

test.each([
  ['acme/api maintain', { kind: 'collaborator', target: 'acme/api', permission: 'maintain' }],
  ['team acme/responders', { kind: 'team-member', target: 'acme/responders', permission: 'member' }],
  ['team acme/responders maintainer', { kind: 'team-member', target: 'acme/responders', permission: 'maintainer' }],
  ['role acme/security_manager', { kind: 'org-role', target: 'acme/security_manager', permission: 'holder' }],
])('%s is a right', (words, asked) => {
  expect(readAskedRight(words.split(' '))).toEqual(asked);
});

test.each([
  '',
  'acme write',
  'acme/api',
  'acme/api owner',
  'acme/api write more',
  'role acme/x y',
  'team',
  'team acme/x admin',
])('`%s` is none, and says what is wrong', (words) => {
  expect(readAskedRight(words.split(' '))).toHaveProperty('fault');
});

test('a span is up to a day', () => {
  expect(['45s', '30m', '24h'].map(readSpan)).toEqual([{ ms: 45_000 }, { ms: 1_800_000 }, { ms: 86_400_000 }]);
  for (const wrong of [undefined, '', '0m', '25h', '1d', '1.5h', '-1m'])
    expect(readSpan(wrong)).toHaveProperty('fault');
});
