import { startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, expect, test } from 'vitest';
import { createVaultSession } from './session.ts';
import { readVaultStanding, retirementOfVault, vaultPlaceOf } from './standing.ts';

let close = async (): Promise<void> => {};
afterEach(() => close());

async function look(answers: Readonly<Record<string, unknown>>, namespace?: string) {
  const service = await startFakeService(({ path }) => {
    const found = answers[path.replace('/v1/', '')];
    if (found === 'forbidden') return { status: 403, body: '{"errors":["permission denied"]}' };
    return found === undefined
      ? { status: 404, body: '{"errors":[]}' }
      : { status: 200, body: JSON.stringify({ data: found }) };
  });
  close = service.close;
  const settings = { url: service.url, token: 'hvs.canary-token-of-the-broker' };
  const session = createVaultSession(settings, { clock: { nowMs: Date.now, pause: async () => {} } });
  return readVaultStanding(session, vaultPlaceOf({ url: 'https://vault.acme.example', namespace }));
}
const answers = {
  'sys/auth': { 'jwt/': { type: 'jwt' }, 'gitlab/': { type: 'jwt' }, 'token/': { type: 'token' } },
  'auth/jwt/config': { bound_issuer: 'https://token.actions.githubusercontent.com' },
  'auth/gitlab/config': { oidc_discovery_url: 'https://gitlab.com' },
  'auth/jwt/role?list=true': { keys: ['deploy', 'loose'] },
  'auth/jwt/role/deploy': {
    ...{ bound_audiences: ['vault'], bound_subject: 'repo:acme/api:environment:production', bound_claims: null },
    token_policies: ['deploys'],
  },
  'auth/jwt/role/loose': {
    ...{ bound_audiences: [], bound_claims_type: 'glob', bound_claims: { sub: 'repo:acme/*', ref: ['refs/heads/*'] } },
    token_policies: ['deploys'],
  },
};

test('roles of JWT methods that take GitHub’s id tokens are rows; others’ are none', async () => {
  const { rows, gaps } = await look(answers);
  expect(gaps).toEqual([]);
  expect(rows).toMatchObject([
    {
      ...{ id: 'vault-role/vault.acme.example/auth/jwt/deploy', repositories: ['acme/api'], lastUse: 'unknown' },
      ...{
        traits: ['names-in-subject'],
        scope: ['aud=vault', 'sub=repo:acme/api:environment:production', 'policy deploys'],
      },
    },
    { name: 'loose', traits: ['every-repository', 'every-job-of-repository', 'no-audience', 'names-in-subject'] },
  ]);
  expect(retirementOfVault(rows[0]!)).toMatchObject({
    retire: ['vault delete auth/jwt/role/deploy'],
    trial: expect.stringContaining('vault read -format=json auth/jwt/role/deploy > deploy.json'),
  });
});

test('a role of a namespace is not its namesake of another', async () => {
  const [root, team] = [await look(answers), await look(answers, '/team/')];
  expect(root.covers).toEqual(['vault-role/vault.acme.example/auth/']);
  expect(team.covers).toEqual(['vault-role/vault.acme.example/team/auth/']);
  expect(team.rows[0]).toMatchObject({ id: 'vault-role/vault.acme.example/team/auth/jwt/deploy' });
  expect(retirementOfVault(team.rows[0]!).retire).toEqual(['vault delete team/auth/jwt/role/deploy']);
});

test('what may not be read is a gap', async () => {
  const { rows, gaps } = await look({ ...answers, 'auth/jwt/role/loose': 'forbidden' });
  expect(rows).toHaveLength(1);
  expect(gaps).toMatchObject([
    {
      ...{ what: 'Vault roles (auth/jwt/role/…)', why: 'it answered 403: permission denied' },
      remedy: 'allow the broker’s policy to read auth/jwt/role/…',
    },
  ]);
  await close();
  expect((await look({ 'sys/auth': 'forbidden' })).gaps).toHaveLength(1);
});
