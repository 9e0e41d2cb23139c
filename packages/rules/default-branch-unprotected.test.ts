import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule as builds } from './build-from-unreviewed-commit.ts';
import { rule } from './default-branch-unprotected.ts';
import { rule as workflows } from './workflow-changed-unreviewed.ts';

const repository = 'acme/app';
const inventory = (time: string, patterns: string[], id?: string) =>
  at(Date.parse(time), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.protected': [{ repository, patterns, ...(id === undefined ? {} : { repositoryId: id }) }],
  });
/** What an import before day 1 found: no branch of it is protected. */
const none = inventory('2026-03-10T08:00:00Z', []);
const all = [rule, builds, workflows];
const first = '08:00     ada      pushes day1 to acme/app main';

describe('where an inventory found nothing protected', () => {
  test('what is pushed straight to the default branch, built, tagged, released and deployed is one low notice', () => {
    const { findings } = expectTimeline(
      all,
      `
      ${first}
      09:00     ada      pushes a to acme/app main (from day1)
      09:00:05  ada      starts run 7 of ci in acme/app at a
      09:00:06  github   answers about a in acme/app      ← FOUND acme/app [low/high]
      09:10     bob      pushes b to acme/app main (from a)
      09:10:05  bob      starts run 8 of deploy in acme/app at b
      09:10:06  bob      starts job deploy of run 8 (to production)
      09:10:09  github   answers about b in acme/app
      09:20     bob      tags b of acme/app as v1
      09:20:05  bob      starts run 9 of release in acme/app at b (on v1)
      09:30     carol    deploys b of acme/app to production
      `,
      { before: [none] },
    );
    expect(findings[0]!.response).toEqual([]);
    expect(findings[0]!.title).toBe('main of acme/app requires no review');
  });

  test('so is the merge of one’s own change that nobody approved, and a push whose event was lost', () => {
    expectTimeline(
      all,
      `
      ${first}
      09:00     ada      opens #7 in acme/app from x at h
      09:01     ada      merges #7 in acme/app as m
      09:01:05  ada      starts run 7 of ci in acme/app at m
      09:02     github   answers about m in acme/app      ← FOUND acme/app
      09:10     ada      starts run 8 of ci in acme/app at lost
      09:11     github   answers about lost in acme/app
      `,
      { before: [none] },
    );
  });

  test('so it is in a repository that was made since, until it is protected', () => {
    expectTimeline(
      all,
      `
      08:00     ada      creates public repository acme/app
      08:01     ada      pushes day1 to acme/app main (from nothing)
      08:01:05  ada      starts run 6 of ci in acme/app at day1
      09:00     ada      pushes a to acme/app main (from day1)
      09:00:05  ada      starts run 7 of ci in acme/app at a
      09:00:06  github   answers about a in acme/app      ← FOUND acme/app [low/high]
      day 9 09:00     ada      creates ruleset main of acme/app   ← RETRACTED acme/app
      day 9 09:01     mallory  pushes evil to acme/app main (from a)
      day 9 09:01:05  mallory  starts run 8 of ci in acme/app at evil   ← FOUND acme/app@evil [high/high]
      `,
      { anyOrder: false },
    );
  });

  test('so it is where its making is received last', () => {
    expectTimeline(
      all,
      `
      08:00     ada      creates public repository acme/app
      08:01     ada      pushes day1 to acme/app main (from nothing)
      08:01:05  ada      starts run 6 of ci in acme/app at day1
      08:01:06  github   answers about day1 in acme/app      ← FOUND acme/app [low/high]
      `,
    );
  });

  test('work that somebody else approved makes no notice', () => {
    expectTimeline(
      all,
      `
      ${first}
      09:00     ada      pushes h to acme/app feat (from nothing)
      09:00:05  ada      opens #7 in acme/app from feat at h
      09:01     bob      approves #7 in acme/app
      09:02     ada      merges #7 in acme/app as m
      09:02:05  ada      starts run 7 of ci in acme/app at m
      `,
      { before: [none] },
    );
  });

  test('CI files that are pushed straight to it inform, and stop nothing', () => {
    const { findings } = expectTimeline(
      workflows,
      `
      ${first}
      09:00     ada      pushes a to acme/app main (from day1; touching .github/workflows/ci.yml)   ← FOUND acme/app@a [low/high]
      `,
      { before: [none] },
    );
    expect(findings[0]!.response).toEqual([]);
  });

  test('what never came to the default branch is found as before', () => {
    expectTimeline(
      builds,
      `
      ${first}
      09:00     mallory  pushes evil to acme/app x (from nothing)
      09:00:05  mallory  starts run 7 of deploy in acme/app at evil (on x)
      09:00:06  mallory  starts job deploy of run 7 (to production)   ← FOUND acme/app@evil [high/high]
      `,
      { before: [none] },
    );
  });
});

/** Whoever has read the rule makes himself a repository that nobody protects. */
describe('what was got round is found as before', () => {
  const push = (day: number, mark = '← FOUND acme/app@evil [high/high]') => `
      day ${day} 09:01     mallory  pushes evil to acme/app main (from day1)
      day ${day} 09:01:05  mallory  starts run 7 of ci in acme/app at evil ${mark}
  `;
  test.each([
    ['a protection', 'creates protection main of acme/app', 'deletes protection main of acme/app'],
    ['a ruleset', 'creates ruleset main of acme/app', 'deletes ruleset main of acme/app'],
    [
      'a ruleset for all branches',
      'creates ruleset all of acme/app (protecting ~ALL)',
      'relaxes ruleset all of acme/app (enforcement active → disabled)',
    ],
  ])('where %s was made after the inventory, and taken away again', (_, made, gone) => {
    const text = (day: number, mark?: string) => `
      ${first}
      day 2 09:00  ada      ${made}
      day 6 09:00  mallory  ${gone}
      ${push(day, mark)}
    `;
    expectTimeline(builds, text(6), { before: [none], anyOrder: false });
    expectTimeline(builds, text(12), { before: [none] });
    // No inventory has looked since.
    expectTimeline(builds, text(20), { before: [none] });
    // One that he waits for, or has somebody import, vouches for nothing within the week.
    expectTimeline(builds, text(12), { before: [none], anyOrder: false });
    const again = inventory('2026-03-17T08:00:00Z', []);
    const play = (day: number) => {
      const told = eventsOf(text(day, ''));
      const events = [none, ...told, again].sort((a, b) => a.atMs - b.atMs);
      return playTimeline({ rules: [builds], events, untilMs: Date.parse('2026-05-01T00:00:00Z') }).findings;
    };
    expect(play(12)).toMatchObject([{ severity: 'high' }]);
    expect(play(14)).toEqual([]);
  });

  test('where it was made and stands', () => {
    expectTimeline(
      builds,
      `
      ${first}
      day 2 09:00  ada      creates protection main of acme/app
      ${push(12)}
      `,
      { before: [none] },
    );
  });

  test('where an inventory found it protected within the week before the one that did not', () => {
    const before = [inventory('2026-03-09T08:00:00Z', ['main']), none];
    expectTimeline(builds, `${first}\n${push(5)}`, { before });
    expectTimeline(builds, `${first}\n${push(8, '')}`, { before });
  });

  test('where it is protected for all branches, or only by an inventory of later not', () => {
    expectTimeline(builds, `${first}\n${push(2)}`, { before: [inventory('2026-03-10T08:00:00Z', ['**'])] });
    expectTimeline(builds, `${first}\n${push(2)}`, { before: [{ ...none, time: '2026-03-13T08:00:00.000Z' }] });
    expectTimeline(builds, `${first}\n${push(2)}`, { before: [] });
  });

  test('though he changes a protection so often that its beginning is forgotten', () => {
    const often = Array.from(
      { length: 14 },
      (_, nth) =>
        `day 3 09:${nth + 10}  mallory  changes ruleset main of acme/app (name main → m${nth})${nth === 11 ? '   ← FOUND repositories protections ruleset 126746746' : ''}`,
    );
    expectTimeline(
      builds,
      `
      ${first}
      day 2 09:00  ada      creates ruleset main of acme/app
      day 3 09:00  mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
      ${often.join('\n')}
      ${push(20, '← FOUND acme/app@evil [high/medium]')}
      `,
      { before: [none], anyOrder: false },
    );
  });
});

/** The organisation's ruleset `9`, made, changed or deleted on day 2, that binds repositories by their names or ids. */
const orgRuleset = (binds: object, { action = 'created', day = 2, ...more }: Record<string, string | number> = {}) =>
  at(Date.parse(`2026-03-${String(10 + Number(day))}T09:00:00Z`), 'dev.cdeventsx.tripline-control.changed', {
    ...{
      'vcs.provider.name': 'github',
      'vcs.owner.name': 'acme',
      'vcs.owner.id': '77',
      'user.name': 'ada',
      'user.id': '5',
    },
    ...{ 'tripline.control.kind': 'ruleset', 'tripline.control.action': String(action), 'tripline.control.id': '9' },
    'tripline.control.patterns': ['~DEFAULT_BRANCH'],
    'tripline.control.settings': {
      ...{ enforcement: 'active', target: 'branch', rules: '[{"type":"pull_request"}]' },
      conditions: JSON.stringify({ ref_name: { include: ['~DEFAULT_BRANCH'], exclude: [] }, ...binds }),
      ...more,
    },
  });
const byName = (include: string[], exclude: string[] = []) => ({ repository_name: { include, exclude } });

describe('a ruleset of the organisation that was made since the inventory', () => {
  const evil = `
    ${first}
    day 3 09:01     mallory  pushes evil to acme/app main (from day1)
    day 3 09:01:05  mallory  starts run 7 of ci in acme/app at evil
    day 3 09:01:06  github   answers about evil in acme/app
  `;
  const play = (...rulesets: ReturnType<typeof orgRuleset>[]) => {
    const inOrder = [none, ...eventsOf(evil), ...rulesets].sort((a, b) => a.atMs - b.atMs);
    // Received a day late, it ends at the same.
    const late = inOrder.map((one) =>
      rulesets.includes(one as never)
        ? { ...one, time: new Date(one.atMs).toISOString(), atMs: one.atMs + 2 * 86_400_000 }
        : one,
    );
    const untilMs = Date.parse('2026-05-01T00:00:00Z');
    const [now, then] = [inOrder, late.sort((a, b) => a.atMs - b.atMs)].map((events) =>
      playTimeline({ rules: all, events, untilMs })
        .findings.map(({ rule: id, severity }) => `${id} ${severity}`)
        .sort(),
    );
    expect(then).toEqual(now);
    return now;
  };
  const notice = ['default-branch-unprotected low'];
  const gotRound = ['build-from-unreviewed-commit high'];

  test('protects those that it binds, by name or id', () => {
    expect(play()).toEqual(notice);
    expect(play(orgRuleset(byName(['~ALL'])))).toEqual(gotRound);
    expect(play(orgRuleset(byName(['a*'])))).toEqual(gotRound);
    const id = eventsOf(first)[0]!.data['vcs.repository.id'];
    expect(play(orgRuleset({ repository_id: { repository_ids: [Number(id)] } }))).toEqual(gotRound);
  });

  test('protects no other, nor where it asks for nothing, or that is not known', () => {
    expect(play(orgRuleset(byName(['~ALL'], ['app'])))).toEqual(notice);
    expect(play(orgRuleset(byName(['lib'])))).toEqual(notice);
    expect(play(orgRuleset({ repository_property: { include: [{ name: 'tier' }], exclude: [] } }))).toEqual(notice);
    expect(play(orgRuleset(byName(['~ALL']), { enforcement: 'evaluate' }))).toEqual(notice);
    expect(play(orgRuleset(byName(['~ALL']), { target: 'tag' }))).toEqual(notice);
    expect(play(orgRuleset(byName(['~ALL']), { rules: '[{"type":"commit_message_pattern"}]' }))).toEqual(notice);
  });

  test('and was taken away again is not as if it had never been', () => {
    const gone = orgRuleset(byName(['~ALL']), { action: 'deleted', day: 3 });
    expect(play(orgRuleset(byName(['~ALL'])), gone)).toEqual(gotRound);
  });

  test('is what a repository that is made later is bound by', () => {
    const events = eventsOf(`
      day 3 08:00     ada      creates public repository acme/app
      day 3 08:01     ada      pushes day1 to acme/app main (from nothing)
      day 3 09:00     mallory  pushes evil to acme/app main (from day1)
      day 3 09:00:05  mallory  starts run 7 of ci in acme/app at evil
      day 3 09:00:06  github   answers about evil in acme/app
    `);
    const untilMs = Date.parse('2026-05-01T00:00:00Z');
    const found = (before: ReturnType<typeof orgRuleset>[]) =>
      playTimeline({ rules: all, events: [...before, ...events], untilMs }).findings.map(({ severity }) => severity);
    expect(found([])).toEqual(['low']);
    expect(found([orgRuleset(byName(['~ALL']))])).toEqual(['high']);
  });

  test('is looked at by the next inventory, which is right where both differ', () => {
    const again = inventory('2026-03-12T20:00:00Z', []);
    const events = [none, orgRuleset(byName(['~ALL'])), again, ...eventsOf(evil)].sort((a, b) => a.atMs - b.atMs);
    const { findings } = playTimeline({ rules: all, events, untilMs: Date.parse('2026-05-01T00:00:00Z') });
    expect(findings.map(({ severity }) => severity)).toEqual(['low']);
  });
});

test('it is taken back once a branch is protected', () => {
  expectTimeline(
    rule,
    `
    ${first}
    09:00     ada      pushes a to acme/app main (from day1)
    09:00:05  ada      starts run 7 of ci in acme/app at a
    09:00:06  github   answers about a in acme/app      ← FOUND acme/app
    10:00     bob      creates ruleset main of acme/app (protecting ~DEFAULT_BRANCH)   ← RETRACTED acme/app
    `,
    { before: [none] },
  );
});

test('a repository that is renamed is told of once', () => {
  expectTimeline(
    all,
    `
    ${first}
    09:00     ada      pushes a to acme/app main (from day1)
    09:00:05  ada      starts run 7 of ci in acme/app at a
    09:00:06  github   answers about a in acme/app      ← FOUND acme/app
    10:00     ada      renames repository acme/app to acme/core
    10:10     ada      pushes b to acme/core main (from a)
    10:10:05  ada      starts run 8 of ci in acme/core at b
    10:10:06  github   answers about b in acme/core
    `,
    { before: [none], anyOrder: false },
  );
});
