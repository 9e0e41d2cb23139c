import { expect, test } from 'vitest';
import { readLock } from './lock.ts';
import { readPolicies } from './policy.ts';
import { promotedFrom, promotionsOf } from './promotion.ts';

const policy = (tier: string, more: string) => `
    tier: ${tier}
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, events: [push], ref: refs/heads/main${more}
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]`;
const file = (...policies: string[]) => ({
  file: readPolicies(`
audience: https://access.acme.example
tiers: { production: [production, production-eu], staging: [staging, canary], dev: [preview] }
policies:
${policies.map((text, nth) => `  one-${nth}:${text}`).join('\n')}
`),
  lock: readLock(`github: { acme/api: { id: '74', owner: '65' } }`),
});
const api = { id: '74', name: 'acme/api' };
const production = { environment: 'production', repository: api };
const promoted = ', environment: production } }\n    needs: { promotedFrom: staging ';

test('the environments of the tier from which each policy for the environment promotes', () => {
  const version = file(policy('production', `${promoted}}`));
  expect(promotedFrom(production, version)).toEqual(['canary', 'staging']);
  expect(promotedFrom({ ...production, environment: 'production-eu' }, version)).toBeUndefined();
  expect(promotedFrom({ ...production, environment: 'staging' }, version)).toBeUndefined();
});

test('one policy that lets it in without is enough, and a namesake’s policy is nobody’s', () => {
  const version = file(policy('production', `${promoted}}`), policy('production', ' } }'));
  expect(promotedFrom(production, version)).toEqual([]);
  expect(promotedFrom({ ...production, repository: { id: '99', name: 'acme/api' } }, version)).toBeUndefined();
});

test('each environment of each repository that a policy is for, once', () => {
  const version = file(
    policy('production', `${promoted}}`),
    policy('production', `${promoted}}`),
    policy('dev', ' } }'),
  );
  expect(promotionsOf(version)).toEqual([
    { repository: api, environment: 'production', from: ['canary', 'staging'] },
    { repository: api, environment: 'preview', from: [] },
  ]);
  // Without its id in the lock file a repository is nobody.
  expect(promotionsOf({ ...version, lock: readLock('github: {}') })).toEqual([]);
});
