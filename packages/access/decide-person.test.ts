import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decidePerson, type PersonAsks, reasonsToEnd } from './decide-person.ts';
import { diff } from './diff.ts';
import { lint } from './lint.ts';
import { readLock } from './lock.ts';
import { permissionsOf, rightKinds } from './people-rights.ts';
import { readPolicies, rights, teamRoles } from './policy.ts';
import { whoGets } from './who-gets.ts';

const lock = readLock(
  "github: { acme/api: { id: '74', owner: '65' }, acme/web: { id: '75', owner: '65' } }\nteams: { acme/sre: { id: '9', owner: '65' }, acme/web: { id: '8', owner: '65' } }\nroles: { acme/reader: { id: '8136', owner: '65' }, acme/web: { id: '8137', owner: '65' } }\npeople: { ada: { id: '11' }, grace: { id: '12' }, linus: { id: '13' } }",
);
const versionOf = (people: string) => ({
  file: readPolicies(`audience: https://access.acme.example\ntiers: {}\npolicies: {}\npeople: ${people}`),
  lock,
});
const fixing =
  '{ fixing: { who: [ada, grace], repositories: [acme/api], permission: maintain, for: 60m, approvedBy: [grace, linus] } }';
const asks: PersonAsks = {
  ...{ grantee: 'Ada', kind: 'collaborator', target: 'Acme/API', permission: 'write', forMs: 3_600_000 },
};

test('a right is somebody’s to ask for by ids, and another’s to approve', () => {
  expect(decidePerson(asks, versionOf(fixing))).toEqual({
    ...{ policy: 'fixing', grantee: { id: '11', name: 'ada' } },
    target: { id: '74', name: 'acme/api', ownerId: '65' },
    approvers: [
      { id: '12', name: 'grace' },
      { id: '13', name: 'linus' },
    ],
    ...{ phishingResistant: true, isFast: false, breakGlassAfterMs: null, schedules: {} },
  });
  expect(decidePerson({ ...asks, grantee: 'grace' }, versionOf(fixing))).toMatchObject({
    approvers: [{ id: '13', name: 'linus' }],
  });
});

test('a denial names everything that speaks against it', () => {
  expect(decidePerson(asks, versionOf('{}'))).toEqual({ why: [expect.stringContaining('no `people`')] });
  expect(
    decidePerson(
      { grantee: 'linus', kind: 'collaborator', target: 'acme/web', permission: 'admin', forMs: 7_200_000 },
      versionOf(fixing),
    ),
  ).toEqual({
    why: [
      'people.fixing: linus is none of who; acme/web is none of its repositories; admin is more than maintain; 120 min is longer than 60 min',
    ],
  });
  const alone = versionOf(fixing.replace('[grace, linus]', '[ada]'));
  expect(decidePerson(asks, alone)).toEqual({ why: ['people.fixing: nobody else may approve it'] });
  expect(lint(alone.file, lock).map(({ what }) => what)).toEqual([
    'approvedBy: nobody but themselves may approve what ada asks',
  ]);
});

test('a team or a role is asked for as a repository is', () => {
  const teams =
    '{ on-call: { who: [ada], teams: [acme/sre], for: 8h, approvedBy: [grace] }, audit: { who: [ada], roles: [acme/reader], for: 60m, approvedBy: [grace] } }';
  const version = versionOf(teams);
  expect(lint(version.file, lock)).toEqual([]);
  const inTeam: PersonAsks = {
    ...{ grantee: 'ada', kind: 'team-member', target: 'acme/sre', permission: 'member', forMs: 3_600_000 },
  };
  expect(decidePerson(inTeam, version)).toMatchObject({
    ...{ policy: 'on-call', target: { id: '9', name: 'acme/sre', ownerId: '65' } },
  });
  expect(decidePerson({ ...inTeam, permission: 'maintainer' }, version)).toEqual({
    why: ['people.on-call: maintainer is more than member', 'people.audit: acme/sre is none of its teams'],
  });
  // A repository of the team's name is no team.
  expect(decidePerson({ ...inTeam, kind: 'collaborator', permission: 'read' }, version)).toHaveProperty('why');
  expect(whoGets(version.file, 'acme/reader')[0]).toMatchObject({ gives: 'role acme/reader for 60 min' });
  expect(lint(version.file, readLock("people: { ada: { id: '11' }, grace: { id: '12' } }"))).toHaveLength(2);
  for (const wrong of [
    'teams: [acme/sre], roles: [acme/reader]',
    'permission: read',
    'teams: [acme/sre], permission: read',
  ])
    expect(() => versionOf(`{ one: { who: [ada], ${wrong}, for: 8h, approvedBy: [grace] } }`)).toThrow('say');
});

test('only reading goes without anybody’s word', () => {
  const reading = '{ reading: { who: [ada], repositories: [acme/api], permission: read, for: 8h, fast: true } }';
  expect(lint(versionOf(reading).file, lock)).toEqual([]);
  expect(decidePerson({ ...asks, permission: 'read' }, versionOf(reading))).toMatchObject({ isFast: true });
  const writing = versionOf(reading.replace('permission: read', 'permission: write').replace('8h', '9h'));
  expect(lint(writing.file, lock).map(({ level, policy }) => [level, policy])).toEqual([
    ['error', 'people.reading'],
    ['error', 'people.reading'],
  ]);
  expect(decidePerson(asks, writing)).toHaveProperty('why');
  expect(lint(versionOf(reading).file, readLock('{}'))).toHaveLength(2);
});

test('where nobody answers, a policy may let them approve it alone, by a factor that cannot be phished', () => {
  const broken = fixing.replace('approvedBy', 'breakGlass: 15m, approvedBy');
  const version = versionOf(broken);
  expect(lint(version.file, lock)).toEqual([]);
  const allowed = decidePerson(asks, version);
  expect(allowed).toMatchObject({ breakGlassAfterMs: 900_000 });
  // They are no approver: others are asked first, and where there are none it is nobody's to give.
  expect(allowed).toMatchObject({ approvers: [{ name: 'grace' }, { name: 'linus' }] });
  expect(decidePerson(asks, versionOf(broken.replace('[grace, linus]', '[ada]')))).toHaveProperty('why');
  expect(whoGets(version.file, 'acme/api')[0]!.needs).toEqual([
    'a second factor of somebody else of grace, linus, or after 15 min without an answer their own, which is found',
  ]);
  expect(diff(versionOf(fixing), version)).toEqual([
    { policy: 'people.fixing', is: 'wider', field: 'breakGlass', from: 'never', to: 'after 15 min' },
  ]);
  expect(reasonsToEnd(asks, '11', version)).toBeUndefined();
  expect(reasonsToEnd(asks, '11', versionOf(fixing))).toContain('whoever approved it may not any more');
  const phished = versionOf(broken.replace('for: 60m', 'for: 60m, phishingResistant: false'));
  expect(decidePerson(asks, phished)).toMatchObject({ breakGlassAfterMs: null });
  const wrong = [phished, versionOf(broken.replace('15m', '4m')), versionOf(broken.replace('15m', '1h'))];
  for (const { file } of wrong) expect(lint(file, lock)).toMatchObject([{ level: 'error' }]);
});

test('a policy may mind who is on duty: of whoever asks, of whoever approves, or of both', () => {
  const minding = (of: string, schedules = 'SCHED1, SCHED2') =>
    versionOf(fixing.replace('for: 60m', `for: 60m, onDuty: { schedules: [${schedules}], of: [${of}] }`));
  expect(decidePerson(asks, minding('who'))).toMatchObject({ schedules: { who: ['SCHED1', 'SCHED2'] } });
  expect(decidePerson(asks, minding('who, approvedBy', 'SCHED1'))).toMatchObject({
    schedules: { who: ['SCHED1'], approvedBy: ['SCHED1'] },
  });
  const off = new Map([['fixing', 'ada is not on duty by SCHED1']]);
  expect(decidePerson(asks, minding('who'), off)).toEqual({ why: ['people.fixing: ada is not on duty by SCHED1'] });
  expect(whoGets(minding('who, approvedBy').file, 'acme/api')[0]!.needs).toEqual([
    'whoever asks is on duty by SCHED1 or SCHED2',
    'a second factor of somebody else of grace, linus, who is on duty by SCHED1 or SCHED2',
  ]);
  expect(diff(minding('who, approvedBy'), minding('who'))).toEqual([
    ...[{ policy: 'people.fixing', is: 'wider', field: 'onDuty of approvedBy', from: 'SCHED1 or SCHED2', to: 'any' }],
  ]);
  expect(diff(minding('who'), minding('who', 'SCHED1'))).toMatchObject([{ is: 'narrower', field: 'onDuty of who' }]);
  expect(lint(minding('who, approvedBy').file, lock)).toEqual([]);
  const fast = fixing.replace(
    'maintain, for: 60m',
    'read, fast: true, for: 60m, onDuty: { schedules: [SCHED1], of: [approvedBy] }',
  );
  expect(lint(versionOf(fast).file, lock)).toMatchObject([{ level: 'error', what: expect.stringContaining('onDuty') }]);
});

test('who says what people may ask for', () => {
  expect(whoGets(versionOf(fixing).file, 'acme/api maintain')).toEqual([
    {
      ...{ policy: 'people.fixing', tier: null, gives: 'maintain on acme/api for 60 min' },
      who: ['people: ada, grace'],
      needs: ['a second factor of somebody else of grace, linus'],
      until: 'the time that was asked for, at most 60 min',
    },
  ]);
  expect(whoGets(versionOf(fixing).file, 'acme/web')).toEqual([]);
});

test('property: where diff says neither wider nor other, whoever gets it now got it before, by the same people’s word', () => {
  const people = ['ada', 'grace', 'linus'];
  const some = fc.uniqueArray(fc.constantFrom(...people), { minLength: 1 });
  const both = (...names: string[]) => fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 });
  const on = fc.oneof(
    fc.record({ repositories: both('acme/api', 'acme/web'), permission: fc.constantFrom(...rights) }),
    fc.record({ teams: both('acme/sre', 'acme/web'), as: fc.constantFrom(undefined, ...teamRoles) }),
    fc.record({ roles: both('acme/reader', 'acme/web') }),
  );
  const right = fc
    .record({
      on,
      who: some,
      for: fc.constantFrom('30m', '60m'),
      approvedBy: fc.oneof(some, fc.constant([])),
      phishingResistant: fc.boolean(),
      fast: fc.constantFrom(undefined, true as const),
      breakGlass: fc.constantFrom(undefined, '5m', '15m'),
      onDuty: fc.option(fc.record({ schedules: both('SCHED1', 'SCHED2'), of: both('who', 'approvedBy') }), {
        nil: undefined,
      }),
    })
    .map(({ on: what, ...rest }) => ({ ...what, ...rest }));
  fc.assert(
    fc.property(right, right, (before, after) => {
      const [from, to] = [before, after].map((one) => versionOf(JSON.stringify({ one }))) as [
        ReturnType<typeof versionOf>,
        ReturnType<typeof versionOf>,
      ];
      if (diff(from, to).some(({ is }) => is !== 'narrower')) return;
      for (const grantee of people)
        for (const kind of rightKinds)
          for (const [target, permission] of ['acme/api', 'acme/web', 'acme/sre', 'acme/reader'].flatMap((name) =>
            permissionsOf(kind).map((one) => [name, one] as const),
          ))
            for (const forMs of [1_800_000, 3_600_000]) {
              const asked = { grantee, kind, target, permission, forMs };
              const now = decidePerson(asked, to);
              if ('why' in now) continue;
              const then = decidePerson(asked, from);
              expect(then).toHaveProperty('policy');
              if ('why' in then) continue;
              if (now.isFast) expect(then.isFast).toBe(true);
              for (const of of ['who', 'approvedBy'] as const)
                if (then.schedules[of] !== undefined)
                  expect(then.schedules[of]).toEqual(expect.arrayContaining([...(now.schedules[of] ?? ['anybody'])]));
              expect(then.approvers).toEqual(expect.arrayContaining([...now.approvers]));
              if (!then.isFast && then.phishingResistant) expect(now.phishingResistant || now.isFast).toBe(true);
              if (!then.isFast && now.breakGlassAfterMs !== null)
                expect(then.breakGlassAfterMs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(now.breakGlassAfterMs);
            }
    }),
    { numRuns: 2000 },
  );
});
