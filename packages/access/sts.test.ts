import { expect, test } from 'vitest';
import { examplePolicies } from './access.example.ts';
import { readPolicies } from './policy.ts';
import { policyOfSts } from './sts.ts';
import { whoGets } from './who-gets.ts';

const withoutAws = examplePolicies.replace(/ {6}- \{ aws: .*\n/, '');
const said = withoutAws.replace('    max: 45m\n', '    max: 45m\n    sts: [{ scope: acme/api, identity: deploy }]\n');

test('a policy is asked for by the name that it says, and by no other', () => {
  const file = readPolicies(said);
  expect(policyOfSts(file, { scope: 'Acme/Api', identity: 'deploy' })).toBe('deploy-api');
  for (const [scope, identity] of [
    ['acme', 'deploy'],
    ['acme/api', 'Deploy'],
    ['acme/api', 'deploy-api'],
  ] as const)
    expect(policyOfSts(file, { scope, identity })).toBeUndefined();
  expect(policyOfSts(readPolicies(withoutAws), { scope: 'acme/api', identity: 'deploy' })).toBeUndefined();
});

test('who can get something says how octo-sts’s clients ask for it', () => {
  expect(whoGets(readPolicies(said), 'acme/api')[0]!.who.at(-1)).toBe('octo-sts’s clients ask by: acme/api deploy');
});
