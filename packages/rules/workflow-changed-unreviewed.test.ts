import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './workflow-changed-unreviewed.ts';

const first = '08:00  ada      pushes day1 to acme/app main';

test('a workflow pushed straight to the default branch, as by GhostAction', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${first}
    09:00  mallory  pushes evil to acme/app main (touching .github/workflows/security.yml)   ← FOUND acme/app@evil [high/high]
    `,
  );
  expect(findings[0]!.title).toBe(
    'mallory changed .github/workflows/security.yml on main of acme/app, and nobody else reviewed it',
  );
  expect(findings[0]!.response).toMatchObject([
    { action: 'stop-workflow', repository: 'acme/app', workflow: '.github/workflows/security.yml' },
  ]);
});

test('stops all workflows that were changed among others, and none that is called as another file is', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${first}
    09:00  mallory  pushes evil to acme/app main (touching action.yml, .github/actions/x/ci.yml, .github/dependabot.yml, .github/workflows/a.yml, .github/workflows/b.yml, .github/workflows/c.yaml, .github/workflows/evil.yml)   ← FOUND acme/app@evil
    `,
  );
  expect(findings[0]!.response.map((step) => 'workflow' in step && step.workflow)).toEqual(
    ['a.yml', 'b.yml', 'c.yaml', 'evil.yml'].map((file) => `.github/workflows/${file}`),
  );
});

test('to a protected branch, and by the merge of one’s own change that nobody approved', () => {
  const before = at(Date.parse('2026-03-11T06:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['release/*'] }],
  });
  expectTimeline(
    rule,
    `
    ${first}
    08:01     ada      pushes r1 to acme/app release/1 (from day1)
    09:00     mallory  pushes evil to acme/app release/1 (touching .github/workflows/ci.yml)   ← FOUND acme/app@evil
    `,
    { before: [before] },
  );
  expectTimeline(
    rule,
    `
    ${first}
    09:00     mallory  opens #7 in acme/app from x at h
    09:01     mallory  merges #7 in acme/app as m (touching .github/workflows/ci.yml)
    09:02     nothing happens   ← FOUND acme/app@m
    `,
  );
});

test('the first change that is received of a repository is no finding though its push is received before it', () => {
  const merged = (approval: string, mark = '') => `
    ${first}
    09:00     ada      pushes m to acme/app main (from day1; committed by web-flow; touching .github/workflows/ci.yml)
    08:50     ada      opens #7 in acme/app from x at h (heard 09:00:01)
    ${approval}
    09:00:00  ada      merges #7 in acme/app as m (heard 09:00:02)
    09:01     nothing happens   ${mark}
  `;
  expectTimeline(rule, merged('08:55     bob      approves #7 in acme/app (heard 09:00:01)'), { anyOrder: false });
  expectTimeline(rule, merged('', '← FOUND acme/app@m'), { anyOrder: false });
});

test('changes that somebody else approved, whoever merges them, are work', () => {
  expectTimeline(
    rule,
    `
    ${first}
    09:00     ada  pushes h to acme/app x (from day1; touching .github/workflows/ci.yml)
    09:00:05  ada  opens #7 in acme/app from x at h
    09:01     bob  approves #7 in acme/app
    09:02     ada  merges #7 in acme/app as m (touching .github/workflows/ci.yml)
    10:00     dependabot[bot]  opens #8 in acme/app from dependabot/actions at d
    10:01     bob  approves #8 in acme/app
    10:02     bob  merges #8 in acme/app as n (touching .github/workflows/ci.yml)
    11:00     ada  pushes c to acme/app main (touching src/index.ts)
    `,
  );
});

test('an approval that is received late takes it back; accounts of the house need none', () => {
  expectTimeline(
    rule,
    `
    ${first}
    09:00  ada  opens #7 in acme/app from x at h
    09:01  bob  approves #7 in acme/app (heard 11:00)   ← RETRACTED acme/app@m
    09:02  ada  merges #7 in acme/app as m (touching .github/workflows/ci.yml)
    09:03  nothing happens   ← FOUND acme/app@m
    `,
  );
  expectTimeline(
    rule,
    `
    ${first}
    09:00  template-bot[bot]  pushes t to acme/app main (touching .github/workflows/ci.yml)
    `,
    { settings: { [rule.id]: { exemptActors: ['template-bot[bot]'] } } },
  );
});

test('many pushes to other branches hide no landing', () => {
  const many = Array.from(
    { length: 60 },
    (_, nth) =>
      `10:${String(nth).padStart(2, '0')} mallory pushes evil to acme/app b${nth} (from nothing; touching a.yml)`,
  );
  expectTimeline(
    rule,
    `
    ${first}
    09:00  mallory  pushes evil to acme/app main (touching .github/workflows/ci.yml)   ← FOUND acme/app@evil
    ${many.join('\n')}
    `,
    { anyOrder: false },
  );
});
