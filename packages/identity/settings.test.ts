import { expect, test } from 'vitest';
import { faultsOfIdentity, trustedIssuers } from './registry.ts';
import { identitySettings } from './settings.ts';

const organization = 'c9035eb6-6eb2-4c85-8a81-d9ed6a1d1d1e';
const faultsOf = (given: object) => faultsOfIdentity(identitySettings.parse(given));

test('nobody is trusted until it is named, and keys are where each issuer publishes them', () => {
  expect(trustedIssuers(identitySettings.parse({}))).toEqual([]);
  const issuers = trustedIssuers(
    identitySettings.parse({
      github: [{ owners: ['65'] }],
      gitlab: [{ namespaces: ['72'] }, { issuer: 'https://gitlab.acme.example', namespaces: ['1'] }],
      buildkite: [{ organizations: [organization] }],
      circleci: [{ organization }, { organization: organization.replace('c', 'd'), jwksUri: 'https://keys.example/x' }],
    }),
  );
  expect(issuers.map(({ path, issuer: { jwksUri } }) => `${path.join(' ')} ${jwksUri}`)).toEqual([
    'github 0 https://token.actions.githubusercontent.com/.well-known/jwks',
    'gitlab 0 https://gitlab.com/oauth/discovery/keys',
    'gitlab 1 https://gitlab.acme.example/oauth/discovery/keys',
    'buildkite 0 https://agent.buildkite.com/.well-known/jwks',
    `circleci 0 https://oidc.circleci.com/org/${organization}/.well-known/jwks-pub.json`,
    'circleci 1 https://keys.example/x',
  ]);
});

test('an issuer that would never be met, or whose keys come by plain HTTP, is refused', () => {
  for (const given of [
    { github: [{ owners: ['65'], issuer: 'https://token.actions.githubusercontent.com/' }] },
    { github: [{ owners: ['65'], jwksUri: 'http://keys.example/' }] },
    { github: [{ owners: ['65'], jwksUri: 'http://169.254.169.254/' }] },
    { github: [{ owners: [] }] },
    { github: [{ owners: ['acme'] }] },
    { github: [{}] },
    { github: [{ owners: ['65'], thumbprints: [] }] },
    { buildkite: [{ organizations: ['acme'] }] },
    { circleci: [{ organization: organization.toUpperCase() }] },
    { audience: '' },
    { bitbucket: [] },
  ])
    expect(identitySettings.safeParse(given).success, JSON.stringify(given)).toBe(false);
});

test('an audience for which tokens are shown to others is refused', () => {
  for (const audience of ['https://github.com/acme', 'https://buildkite.com/acme', 'sts.amazonaws.com', 'sigstore'])
    expect(faultsOf({ audience }), audience).toMatchObject([{ path: ['audience'] }]);
  for (const audience of ['https://access.acme.example', 'https://github.company.example/', 'sigstore.acme.example'])
    expect(faultsOf({ audience }), audience).toEqual([]);
});

test('an issuer named twice, and CircleCI’s default audience, are refused', () => {
  expect(faultsOf({ gitlab: [{ namespaces: ['72'] }, { namespaces: ['73'] }] })).toMatchObject([
    { path: ['gitlab', 1] },
  ]);
  expect(faultsOf({ audience: organization, circleci: [{ organization }] })).toMatchObject([
    { path: ['circleci', 0, 'organization'] },
  ]);
  expect(faultsOf({ audience: 'https://a.example', circleci: [{ organization }] })).toEqual([]);
});
