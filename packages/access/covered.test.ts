import { expect, test } from 'vitest';
import { coveredBy } from './covered.ts';
import { readLock } from './lock.ts';
import { readPolicies } from './policy.ts';
import type { Standing } from './standing.ts';

const version = {
  file: readPolicies(`
audience: https://access.acme.example
tiers: { production: [production] }
policies:
  deploy:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/ci.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    give:
      - { github: { repositories: [acme/api], permissions: { contents: write } } }
      - { aws: { role: 'arn:aws:iam::111122223333:role/deploy', for: 30m } }
  narrowed:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/ci.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    give: [{ aws: { role: 'arn:aws:iam::111122223333:role/narrowed', for: 30m, policy: aws/narrow.json } }]
people:
  fixing: { who: [eve], repositories: [acme/api], permission: maintain, for: 60m, approvedBy: [ada] }
  auditing: { who: [ada, bob], roles: [acme/security_manager], for: 60m, approvedBy: [eve] }
`),
  lock: readLock(`
github: { acme/api: { id: '74', owner: '65' } }
roles: { acme/security_manager: { id: '8136', owner: '65' } }
people: { ada: { id: '1' }, bob: { id: '2' }, eve: { id: '3' } }
`),
};
const row = (one: Pick<Standing, 'kind' | 'id'> & Partial<Standing>): Standing => ({
  ...{ name: one.id, owner: null, repositories: [], scope: [], createdAt: null, expiresAt: null },
  ...{ lastUse: 'unknown', seenAs: null, usedBy: [], traits: [], environments: [], ...one },
});
const covered = (one: Parameters<typeof row>[0], organization = 'acme') => coveredBy(row(one), version, organization);

test('tokens and keys by what jobs are given, where it is known what they reach and may do', () => {
  const key = {
    kind: 'deploy-key' as const,
    id: 'deploy-key/74/12',
    repositories: ['acme/api'],
    scope: ['contents:write'],
  };
  expect(covered(key)).toBe('deploy');
  expect(covered({ ...key, repositories: ['acme/api', 'acme/web'] })).toBeUndefined();
  expect(covered({ ...key, repositories: 'all' })).toBeUndefined();
  expect(covered({ ...key, scope: [] })).toBeUndefined();
});

test('a role of AWS by the same role given whole, whichever of its statements it is', () => {
  const role = (name: string) => ({ kind: 'aws-role' as const, id: `aws-role/arn:aws:iam::111122223333:role/${name}` });
  expect(covered(role('deploy'))).toBe('deploy');
  expect(covered(role('deploy#2'))).toBe('deploy');
  expect(covered(role('deploy-other'))).toBeUndefined();
  expect(covered(role('narrowed'))).toBeUndefined();
});

test('an outside collaborator by what they may ask for, by account', () => {
  const eve = { kind: 'outside-collaborator' as const, id: 'outside-collaborator/3', repositories: ['acme/api'] };
  expect(covered({ ...eve, scope: ['read', 'maintain'] })).toBe('people.fixing');
  expect(covered({ ...eve, scope: ['admin'] })).toBeUndefined();
  // A role of the organisation's own: what it may do is not known.
  expect(covered({ ...eve, scope: ['deployer'] })).toBeUndefined();
  expect(covered({ ...eve, repositories: ['acme/web'], scope: ['read'] })).toBeUndefined();
  // Somebody else who is called eve by now.
  expect(covered({ ...eve, id: 'outside-collaborator/9', name: 'eve', scope: ['read'] })).toBeUndefined();
});

test('a role of the organisation where everybody who has it in person may ask for it', () => {
  const role = { kind: 'organization-role' as const, id: 'organization-role/8136', repositories: 'all' as const };
  const [ada, bob, eve] = ['1', '2', '3'].map((id) => ({ login: `user-${id}`, id }));
  expect(covered({ ...role, holders: [ada!, bob!] })).toBe('people.auditing');
  expect(covered({ ...role, holders: [ada!, eve!] })).toBeUndefined();
  expect(covered({ ...role, holders: [ada!, { team: 'ops' }] })).toBeUndefined();
  expect(covered({ ...role, holders: [{ login: 'ada' }] })).toBeUndefined();
  expect(covered({ ...role, holders: [] })).toBeUndefined();
  // GitHub's own roles have the same id in each organisation.
  expect(covered({ ...role, holders: [ada!] }, 'other')).toBeUndefined();
});

test('of what else stands nothing is known', () => {
  for (const kind of ['secret', 'app', 'owner', 'member', 'team', 'vault-role', 'aws-access-key'] as const)
    expect(covered({ kind, id: `${kind}/1`, scope: ['contents:read'], repositories: ['acme/api'] })).toBeUndefined();
});
