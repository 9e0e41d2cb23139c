import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressedKey, formerOf, type Grant, grants, mostActs, privilegesOf } from './grants.ts';

const types = {
  added: 'dev.cdeventsx.tripline-grant.added',
  changed: 'dev.cdeventsx.tripline-grant.changed',
  removed: 'dev.cdeventsx.tripline-grant.removed',
  requested: 'dev.cdeventsx.tripline-credential.requested',
} as const satisfies Record<string, EventType>;
let events = 0;
function event(
  second: number,
  verb: keyof typeof types,
  data: Attributes,
  more: Partial<LoggedEvent> = {},
): LoggedEvent {
  events += 1;
  return {
    id: `e-${events}`,
    source: '//github.com/acme',
    type: types[verb],
    time: new Date(1_700_000_000_000 + second * 1000).toISOString(),
    workspace: 'acme',
    trust: 'high',
    data: { 'vcs.owner.name': 'acme', 'vcs.owner.id': '77', 'user.name': 'eve', 'user.id': '9', ...data },
    position: { partition: 0, offset: events, appendedAtMs: 0 },
    ...more,
  } as LoggedEvent;
}
const collaborator = {
  'tripline.grant.kind': 'collaborator',
  'tripline.grant.grantee': 'sock',
  'tripline.grant.grantee_id': '5',
  'tripline.grant.target': 'acme/app',
  'tripline.grant.target_id': '42',
  'tripline.grant.permission': 'admin',
} as const;
const key = { ...collaborator, 'tripline.grant.kind': 'deploy-key', 'tripline.grant.grantee': 'ci' } as const;
const { 'tripline.grant.grantee_id': _, ...deployKey } = key;
const invitation = {
  'tripline.grant.kind': 'org-invitation',
  'tripline.grant.id': '300',
  'tripline.grant.grantee': 'sock',
  'tripline.grant.grantee_id': '5',
  'tripline.grant.target': 'acme',
  'tripline.grant.target_id': '77',
  'tripline.grant.permission': 'direct_member',
} as const;

const flooded = new Set<string>();
const quiet = {
  nowMs: 1_700_000_000_000,
  pinned: new Set<string>(),
  flooded: (kind: string, author: string) => flooded.add(`${kind} ${author}`),
  wants: () => false,
};
function learnAll(told: readonly LoggedEvent[], at: Partial<typeof quiet> = {}): Map<string, Grant> {
  const values = new Map<string, Grant>();
  for (const one of told) {
    for (const key of grants.keys(one)) {
      const value = grants.learn(values.get(key), one, { ...quiet, ...at, key });
      if (value !== undefined) values.set(key, grants.value.parse(value));
    }
  }
  return values;
}
const learnOne = (told: readonly LoggedEvent[], at: Partial<typeof quiet> = {}): Grant =>
  [...learnAll(told, at).values()][0]!;

describe('what is one grant', () => {
  test('is who and what by ids, whatever they are called now', () => {
    const renamed = { ...collaborator, 'tripline.grant.grantee': 'shoe', 'tripline.grant.target': 'acme/renamed' };
    const all = learnAll([event(0, 'added', collaborator), event(9, 'removed', renamed)]);
    expect([...all.keys()]).toEqual(['github:github.com:collaborator:42:5']);
    expect([...all.values()][0]!.acts.map(({ did, target }) => [did, target])).toEqual([
      ['given', 'acme/app'],
      ['removed', 'acme/renamed'],
    ]);
  });
  test('is a name where no id is told, in any case', () => {
    const { 'tripline.grant.grantee_id': _, 'tripline.grant.target_id': __, ...named } = collaborator;
    const other = { ...named, 'tripline.grant.grantee': 'SOCK' };
    expect([...learnAll([event(0, 'added', named), event(1, 'removed', other)]).keys()]).toEqual([
      'github:github.com:collaborator:name:acme/app:name:sock',
    ]);
  });
  test('is never that of another provider or instance', () => {
    const here = event(0, 'added', collaborator);
    const there = event(1, 'removed', collaborator, { source: '//ghe.acme.example/acme' });
    const other = event(1, 'removed', { ...collaborator, 'vcs.provider.name': 'gitlab' });
    expect(new Set([here, there, other].flatMap((one) => grants.keys(one))).size).toBe(3);
  });
  test('is a deploy key by its own id: two of one title are two', () => {
    const told = ['1', '2'].map((id) => event(0, 'added', { ...deployKey, 'tripline.grant.id': id }));
    expect(learnAll(told).size).toBe(2);
  });
  test('is an invitation and, by the account, the membership that it becomes', () => {
    const member = {
      ...invitation,
      'tripline.grant.kind': 'org-member',
      'tripline.grant.permission': 'member',
    } as const;
    const all = learnAll([event(0, 'added', invitation), event(60, 'added', member)]);
    expect([...all].map(([key, { kind, acts }]) => [key, kind, acts.map(({ did }) => did)])).toEqual([
      ['github:github.com:org-invitation:77:300', 'org-invitation', ['given']],
      ['github:github.com:org-member:77:5', 'org-member', ['invited', 'given']],
    ]);
  });
  test('is an invitation by address among all of them, since nobody knows who will come', () => {
    const { 'tripline.grant.grantee_id': _, ...rest } = invitation;
    const told = event(0, 'added', { ...rest, 'tripline.grant.grantee': 'somebody without an account' });
    const place = { provider: 'github', instance: 'github.com' };
    expect(grants.keys(told)).toContain(addressedKey(place, { id: '77', name: 'acme' }));
  });
});

describe('what is a privilege', () => {
  const isOne = (verb: 'added' | 'changed', data: Attributes) =>
    privilegesOf(learnOne([event(0, verb, data)])).length > 0;
  test.each<[string, 'added' | 'changed', Attributes, boolean]>([
    ['read on a repository', 'added', { ...collaborator, 'tripline.grant.permission': 'read' }, false],
    [
      'a right that is not said',
      'added',
      { ...collaborator, 'tripline.grant.permission': undefined } as unknown as Attributes,
      true,
    ],
    [
      'write to maintain',
      'changed',
      { ...collaborator, 'tripline.grant.permission': 'maintain', 'tripline.grant.permission_before': 'write' },
      true,
    ],
    [
      'write to a role of one’s own',
      'changed',
      { ...collaborator, 'tripline.grant.permission': 'release-manager', 'tripline.grant.permission_before': 'write' },
      true,
    ],
    [
      'admin to write',
      'changed',
      { ...collaborator, 'tripline.grant.permission': 'write', 'tripline.grant.permission_before': 'admin' },
      false,
    ],
    [
      'member to owner',
      'changed',
      {
        ...invitation,
        'tripline.grant.kind': 'org-member',
        'tripline.grant.permission': 'admin',
        'tripline.grant.permission_before': 'member',
      },
      true,
    ],
    [
      'owner to member',
      'changed',
      {
        ...invitation,
        'tripline.grant.kind': 'org-member',
        'tripline.grant.permission': 'member',
        'tripline.grant.permission_before': 'admin',
      },
      false,
    ],
    [
      'a new team',
      'added',
      { ...collaborator, 'tripline.grant.kind': 'team', 'tripline.grant.permission': 'pull' },
      false,
    ],
    [
      'a new team with admin',
      'added',
      { ...collaborator, 'tripline.grant.kind': 'team', 'tripline.grant.permission': 'admin' },
      true,
    ],
    [
      'a team moved beneath another',
      'changed',
      {
        ...collaborator,
        'tripline.grant.kind': 'team',
        'tripline.grant.permission': undefined,
        'tripline.grant.parent': 'admins',
      } as unknown as Attributes,
      true,
    ],
    [
      'a team renamed',
      'changed',
      {
        ...collaborator,
        'tripline.grant.kind': 'team',
        'tripline.grant.permission': undefined,
      } as unknown as Attributes,
      false,
    ],
    [
      'an app that only reads',
      'added',
      {
        ...collaborator,
        'tripline.grant.kind': 'app-installation',
        'tripline.grant.permissions': { contents: 'read' },
      },
      false,
    ],
    [
      'an app that writes',
      'added',
      {
        ...collaborator,
        'tripline.grant.kind': 'app-installation',
        'tripline.grant.permissions': { contents: 'write' },
      },
      true,
    ],
  ])('%s', (_, verb, data, wanted) => {
    const present = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as Attributes;
    expect(isOne(verb, present)).toBe(wanted);
  });
  test('two tellings of one act are one, and the one that says which right decides', () => {
    const team = { ...collaborator, 'tripline.grant.kind': 'team-repository' } as const;
    const { 'tripline.grant.permission': __, ...unsaid } = team;
    const both = (permission: string) =>
      [event(0, 'added', { ...team, 'tripline.grant.permission': permission }), event(1, 'added', unsaid)].map(
        (one) => ({ ...one, fact: 'fact:added' }) as LoggedEvent,
      );
    expect(privilegesOf(learnOne(both('pull')))).toEqual([]);
    expect(privilegesOf(learnOne(both('admin')))).toMatchObject([
      { occasion: 'fact:added', permission: 'admin', unsaid: false },
    ]);
    expect(privilegesOf(learnOne([event(0, 'added', unsaid)]))).toMatchObject([{ unsaid: true }]);
  });
  test('what was held before is what the change says, or what was given last', () => {
    const given = event(0, 'added', { ...collaborator, 'tripline.grant.permission': 'write' });
    const more = event(5, 'added', collaborator);
    const former = (told: LoggedEvent[]) => formerOf(learnOne(told), privilegesOf(learnOne(told)).at(-1)!);
    expect(former([given, more])).toBe('write');
    expect(former([given, event(3, 'removed', collaborator), more])).toBeUndefined();
    expect(former([event(0, 'changed', { ...collaborator, 'tripline.grant.permission_before': 'triage' })])).toBe(
      'triage',
    );
  });
});

describe('what is kept', () => {
  const acts = fc.array(
    fc.record({
      second: fc.nat({ max: 300 }),
      verb: fc.constantFrom('added' as const, 'removed' as const, 'changed' as const),
      by: fc.constantFrom('1', '2', '3'),
    }),
    { maxLength: 80 },
  );
  test('is the same in any order, however often it is told', () => {
    fc.assert(
      fc.property(acts, fc.infiniteStream(fc.nat()), (drawn, ranks) => {
        const told = drawn.map(({ second, verb, by }) => event(second, verb, { ...collaborator, 'user.id': by }));
        const shuffled = [...told, ...told]
          .map((one) => ({ one, rank: ranks.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ one }) => one);
        if (told.length > 0) expect(learnOne(shuffled).acts).toEqual(learnOne(told).acts);
      }),
    );
  });
  test('is the first and the last by each person, so that a flood hides neither how it began nor how it stands', () => {
    flooded.clear();
    const honest = event(0, 'added', { ...collaborator, 'user.id': '1', 'user.name': 'ada' });
    const flood = Array.from({ length: 100 }, (_, nth) => [
      event(10 + nth * 2, 'added', collaborator),
      event(11 + nth * 2, 'removed', collaborator),
    ]).flat();
    const last = event(900, 'added', collaborator);
    const { acts } = learnOne([honest, ...flood, last]);
    expect(acts[0]!.eventId).toBe(honest.id);
    expect(acts.at(-1)!.eventId).toBe(last.id);
    expect(acts.length).toBe(1 + 2 * (mostActs.firstPerPerson + mostActs.lastPerPerson));
    expect([...flooded].sort()).toEqual(['given 9', 'removed 9']);
  });
  test('is never dropped where a finding rests on it', () => {
    const flood = Array.from({ length: 40 }, (_, nth) => event(nth, 'added', collaborator));
    const pinned = new Set([flood[20]!.id]);
    expect(learnOne(flood, { pinned }).acts.map(({ eventId }) => eventId)).toContain(flood[20]!.id);
    const byMany = Array.from({ length: 150 }, (_, nth) =>
      event(nth, 'added', { ...collaborator, 'user.id': `${nth}` }),
    );
    const { acts } = learnOne(byMany, { pinned: new Set([byMany[3]!.id]) });
    expect(acts.map(({ eventId }) => eventId)).toContain(byMany[3]!.id);
    expect(acts.length).toBe(mostActs.ofAll + 1);
  });
  test('costs a grant as much as a grant, however many there are', () => {
    const bytes = (count: number) => {
      const told = Array.from({ length: count }, (_, nth) =>
        event(nth, 'added', { ...collaborator, 'tripline.grant.grantee_id': `${1000 + nth}` }),
      );
      return [...learnAll(told).values()].reduce((sum, value) => sum + JSON.stringify(value).length, 0) / count;
    };
    expect(bytes(1000)).toBeLessThan(bytes(10) + 10);
    expect(bytes(1000)).toBeLessThan(1000);
  });
});
