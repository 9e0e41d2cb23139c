import { type Entity, isSameEntity } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule as unreviewed } from './build-from-unreviewed-commit.ts';
import { rule as newRunner } from './credential-new-runner.ts';
import { rule as deployKey } from './deploy-key-write-added.ts';
import { rule as massPush } from './mass-workflow-push.ts';
import { rule as outsideJob } from './privilege-grant-outside-job.ts';
import { rule as relaxed } from './protection-weakened-then-push.ts';
import { rule as tagMoved } from './release-tag-moved.ts';
import { rule as ofFork } from './self-hosted-runner-fork.ts';

/** What findings are about, in order of finding. */
function entitiesOf(rule: AnyRule, text: string): Entity[][] {
  const events = eventsOf(text);
  const untilMs = Math.max(...events.map(({ atMs }) => atMs)) + 86_400_000;
  const { all } = playTimeline({ rules: [rule], events, untilMs, learningDays: 0 });
  return all.filter(({ rule: by }) => by === rule.id).map(({ entities }) => entities);
}
const named = (entities: readonly Entity[], kind: Entity['kind'], id: string): Entity => {
  const entity = entities.find((one) => one.kind === kind && one.id === id);
  expect(entity, `${kind} ${id} among ${JSON.stringify(entities)}`).toBeDefined();
  return entity!;
};

/** Each finds twice, with a renaming between: what bore the first name then is what bears the second. */
const renamings: [rule: AnyRule, kind: Entity['kind'], before: string, after: string, timeline: string][] = [
  [
    outsideJob,
    'user',
    'mallory',
    'm2',
    `
    09:00  mallory  gives eve admin on acme/app
    09:01  mallory  renames account mallory to m2
    09:02  m2       gives dan admin on acme/app
    `,
  ],
  [
    outsideJob,
    'repository',
    'acme/app',
    'acme/web',
    `
    09:00  mallory  gives eve admin on acme/app
    09:01  mallory  renames repository acme/app to acme/web
    09:02  mallory  gives dan admin on acme/web
    `,
  ],
  [
    outsideJob,
    'grant',
    'collaborator:eve@acme/app',
    'collaborator:eve2@acme/app',
    `
    09:00  mallory  gives eve admin on acme/app
    09:01  mallory  takes eve off acme/app
    09:01  eve      renames account eve to eve2
    09:02  mallory  gives eve2 admin on acme/app
    `,
  ],
  [
    deployKey,
    'user',
    'mallory',
    'm2',
    `
    09:00  mallory  adds deploy key one to acme/app
    09:01  mallory  renames account mallory to m2
    09:02  m2       adds deploy key two to acme/app
    `,
  ],
  [
    tagMoved,
    'user',
    'mallory',
    'm2',
    `
    09:00  mallory  moves tag v1.0.0 of acme/app to c2 (from c1)
    09:01  mallory  renames account mallory to m2
    day 2  09:00  m2       moves tag v2.0.0 of acme/app to c2 (from c1)
    `,
  ],
  [
    tagMoved,
    'commit',
    'acme/app@c2',
    'acme/web@c2',
    `
    09:00  mallory  moves tag v1.0.0 of acme/app to c2 (from c1)
    09:01  mallory  renames repository acme/app to acme/web
    day 2  09:00  mallory  moves tag v2.0.0 of acme/web to c2 (from c1)
    `,
  ],
  [
    massPush,
    'user',
    'mallory',
    'm2',
    `
    09:00  mallory  pushes c1 to acme/a main (touching .github/workflows/ci.yml)
    09:01  mallory  pushes c2 to acme/b main (touching .github/workflows/ci.yml)
    09:02  mallory  pushes c3 to acme/c main (touching .github/workflows/ci.yml)
    09:03  mallory  renames account mallory to m2
    day 3  09:00  m2  pushes c1 to acme/a main (touching .github/workflows/ci.yml)
    day 3  09:01  m2  pushes c2 to acme/b main (touching .github/workflows/ci.yml)
    day 3  09:02  m2  pushes c3 to acme/c main (touching .github/workflows/ci.yml)
    `,
  ],
  [
    ofFork,
    'user',
    'mallory',
    'm2',
    `
    09:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory)
    09:01  mallory  starts job build of run 7 (on box-1)
    09:02  mallory  renames account mallory to m2
    09:03  m2       starts run 8 of ci in acme/app at c1 (trigger pull_request; of fork mallory)
    09:04  m2       starts job build of run 8 (on box-1)
    `,
  ],
  [
    relaxed,
    'user',
    'ada',
    'ada2',
    `
    09:00  ada      relaxes ruleset main of acme/app (enforcement active → disabled)
    09:01  mallory  pushes c1 to acme/app main
    09:02  ada      renames account ada to ada2
    day 2  09:00  ada2     relaxes ruleset main of acme/web (enforcement active → disabled)
    day 2  09:01  mallory  pushes c2 to acme/web main
    `,
  ],
  [
    unreviewed,
    'user',
    'mallory',
    'm2',
    `
    09:00  mallory  pushes c1 to acme/app main
    09:01  mallory  starts run 7 of ci in acme/app at c1
    09:02  mallory  renames account mallory to m2
    09:03  m2       pushes c2 to acme/app main
    09:04  m2       starts run 8 of ci in acme/app at c2
    `,
  ],
];

describe('two names of one thing are one to whom findings are told', () => {
  test.each(renamings.filter(([, kind]) => kind !== 'commit'))(
    '%o: %s %s, later %s',
    (rule, kind, before, after, timeline) => {
      const found = entitiesOf(rule, timeline);
      expect(found.length).toBeGreaterThanOrEqual(2);
      const [first, second] = [named(found[0]!, kind, before), named(found.at(-1)!, kind, after)];
      expect(first.key).toMatch(/^github:github\.com:/);
      expect(isSameEntity(first, second)).toBe(true);
    },
  );
  test('a commit of a repository that was renamed is the same commit', () => {
    const [, , , , timeline] = renamings.find(([, kind]) => kind === 'commit')!;
    const [first, second] = entitiesOf(tagMoved, timeline).map((some) => some.find(({ kind }) => kind === 'commit')!);
    expect(first!.id).not.toBe(second!.id);
    expect(isSameEntity(first!, second!)).toBe(true);
  });
  test('a runner that two rules find is the same runner', () => {
    const text = `
      09:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory)
      09:01  mallory  starts job build of run 7 (on box-1; to production)
      `;
    const [ofFirst, ofSecond] = [ofFork, newRunner].map((rule) =>
      entitiesOf(rule, text)[0]!.filter(({ kind }) => kind === 'runner' || kind === 'run'),
    );
    for (const entity of ofFirst!) expect(ofSecond!.some((other) => isSameEntity(entity, other))).toBe(true);
  });
});

test('whoever takes a name over is another, whatever the name', () => {
  const [first, second] = entitiesOf(
    outsideJob,
    `
    09:00  zoe      gives eve admin on acme/app
    09:01  zoe      renames account zoe to zoe-2
    09:02  mallory  renames account mallory to zoe
    09:03  zoe      gives dan admin on acme/app
    `,
  ).map((some) => named(some, 'user', 'zoe'));
  expect(isSameEntity(first!, second!)).toBe(false);
});

test('a repository that is renamed while a run of it goes on changes no finding', () => {
  expectTimeline(
    unreviewed,
    `
    09:00  mallory  pushes c1 to acme/app main
    09:01  mallory  starts run 7 of ci in acme/app at c1     ← FOUND acme/app@c1
    09:02  ada      renames repository acme/app to acme/web
    09:03  mallory  finishes run 7
    `,
  );
  expectTimeline(
    ofFork,
    `
    09:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory)
    09:01  mallory  starts job build of run 7 (on box-1)     ← FOUND acme/app#7
    09:02  ada      renames repository acme/app to acme/web
    09:03  mallory  finishes job build of run 7
    09:04  mallory  finishes run 7
    `,
  );
});

describe('a name that is freed and taken gives nothing of what its former bearer had', () => {
  const inventory = at(Date.parse('2026-03-11T06:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main', 'release/*'] }],
  });
  test('who takes the approver’s login over approves nothing of their own', () => {
    const change = (by: string) => `
      09:00     mallory  pushes h to acme/app feat
      09:01     mallory  opens #7 in acme/app from feat at h
      09:02     carol    renames account carol to carol-2
      09:03     mallory  renames account mallory to carol
      09:04     ${by}    approves #7 in acme/app
      09:05     carol-2  merges #7 in acme/app as m
      09:05:05  carol-2  starts run 7 of ci in acme/app at m`;
    expectTimeline(unreviewed, change('carol-2'), { before: [inventory] });
    expectTimeline(unreviewed, `${change('carol')}\n09:20     nothing happens   ← FOUND acme/app@m`, {
      before: [inventory],
    });
  });
  test('a repository stays protected by what was told of it under its former name, and its namesake brings it no landing', () => {
    expectTimeline(
      unreviewed,
      `
      09:00     ada      pushes a to acme/app release/1
      09:01     ada      renames repository acme/app to acme/web
      09:02     mallory  pushes evil to acme/app main
      09:03     mallory  pushes evil to acme/web release/1
      09:03:05  mallory  starts run 7 of ci in acme/web at evil (on release/1)   ← FOUND acme/web@evil`,
      { before: [inventory], anyOrder: false },
    );
  });
});
