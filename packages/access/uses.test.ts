import type { Attributes } from '@tripline/contracts/attributes';
import { expect, test } from 'vitest';
import type { Standing } from './standing.ts';
import { createUses } from './uses.ts';

const row = (one: Partial<Standing> & Pick<Standing, 'kind' | 'id' | 'name'>): Standing => ({
  ...{ owner: null, repositories: [], scope: [], createdAt: null, expiresAt: null, lastUse: 'unknown', seenAs: null },
  ...{ usedBy: [], traits: [], environments: [] },
  ...one,
});
const secret = (id: string, more: Partial<Standing>) =>
  row({ kind: 'secret', id, name: 'KEY', seenAs: 'secret:KEY', ...more });
const rows = [
  secret('secret/@acme/KEY', { repositories: 'all' }),
  secret('secret/74/KEY', { repositories: ['acme/api'] }),
  secret('secret/74/KEY@production', { repositories: ['acme/api'], environments: ['production'] }),
  row({ kind: 'member', id: 'member/2', name: 'bob', seenAs: 'user:2' }),
  row({ kind: 'runner', id: 'runner/acme/11', name: 'b', repositories: 'all', seenAs: 'runner:11' }),
  row({ kind: 'fine-grained-token', id: 'fine-grained-token/25', name: 't', seenAs: 'token:99', lastUse: 'never' }),
];
const used = (
  time: string,
  repository: string,
  environment?: string,
): Parameters<ReturnType<typeof createUses>['add']>[0] => ({
  ...{ type: 'dev.cdeventsx.tripline-credential.used', time },
  data: {
    ...{ 'vcs.repository.name': repository, 'cicd.pipeline.run.id': '9', 'tripline.credential.id': '9/x' },
    'tripline.credential.secrets': ['key'],
    ...(environment === undefined ? {} : { 'deployment.environment.name': environment }),
  } as Attributes,
});

test('of secrets of one name the nearest to the job is the one that it was given', () => {
  const uses = createUses();
  uses.add(used('2026-11-01T00:00:00.000Z', 'acme/web'));
  uses.add(used('2026-11-02T00:00:00.000Z', 'acme/api', 'staging'));
  uses.add(used('2026-11-03T00:00:00.000Z', 'acme/api', 'production'));
  const filled = uses.fill(rows);
  const lastOf = (id: string) => filled.find((one) => one.id === id)?.lastUse;
  expect(lastOf('secret/@acme/KEY')).toEqual({ at: '2026-11-01T00:00:00.000Z', by: 'trail' });
  expect(lastOf('secret/74/KEY')).toEqual({ at: '2026-11-02T00:00:00.000Z', by: 'trail' });
  expect(lastOf('secret/74/KEY@production')).toEqual({ at: '2026-11-03T00:00:00.000Z', by: 'trail' });
});

test('people, machines and tokens by their ids; what nobody was seen with stays unknown, and what the provider says stands', () => {
  const uses = createUses();
  const data = {
    'user.id': '2',
    'vcs.repository.name': 'acme/api',
    'cicd.pipeline.run.id': '9',
    'cicd.worker.id': '11',
  };
  uses.add({ type: 'dev.cdevents.taskrun.started', time: '2026-11-01T00:00:00.000Z', data: data as Attributes });
  uses.add({
    type: 'dev.cdeventsx.tripline-audit.recorded',
    time: '2026-11-02T00:00:00.000Z',
    data: { 'vcs.repository.name': 'acme/api', 'tripline.credential.id': '99' },
  });
  const filled = uses.fill(rows);
  const lastOf = (id: string) => filled.find((one) => one.id === id)?.lastUse;
  expect(lastOf('member/2')).toEqual({ at: '2026-11-01T00:00:00.000Z', by: 'trail' });
  expect(filled.find(({ id }) => id === 'runner/acme/11')?.usedBy).toMatchObject([{ repository: 'acme/api' }]);
  expect(lastOf('fine-grained-token/25')).toBe('never');
  expect(lastOf('secret/74/KEY')).toBe('unknown');
});

test('an environment that looks like another by the sign of Kelvin is no use of that one, which is the same in any capitals', () => {
  const kube = row({ kind: 'environment', id: 'environment/74/1', name: 'Kube', seenAs: 'environment:kube' });
  const one = { ...kube, repositories: ['acme/api'] };
  const uses = createUses();
  uses.add(used('2026-11-01T00:00:00.000Z', 'acme/api', 'KUBE'));
  uses.add(used('2026-11-02T00:00:00.000Z', 'acme/api', '\u212Aube'));
  expect(uses.fill([one])[0]!.lastUse).toEqual({ at: '2026-11-01T00:00:00.000Z', by: 'trail' });
});
