import { expect, test } from 'vitest';
import { checkStepUp } from './step-up.ts';

const oidc = { accountClaim: undefined as string | undefined };
const ada = { account: '11', name: 'ada', subject: '00u1' };
const checked = (stepUp: object | undefined) => checkStepUp({ broker: { stepUp } } as never);

test('says whether anybody could be known who signs in', () => {
  expect(checked(undefined)).toMatchObject({ state: 'off' });
  expect(checked({ oidc, people: [] })).toMatchObject({ state: 'broken', remedy: expect.stringContaining('people') });
  // Nobody could confirm the first who shows who they are.
  expect(checked({ oidc, people: [], github: {} })).toMatchObject({ state: 'broken' });
  expect(checked({ oidc, people: [ada] })).toMatchObject({
    state: 'ok',
    detail: 'who is whom: 1 by broker.stepUp.people',
  });
  expect(checked({ oidc: { accountClaim: 'github_id' }, people: [], github: {} })).toMatchObject({
    ...{ state: 'ok', detail: expect.stringContaining('by the claim github_id, others by signing in at GitHub') },
  });
});
