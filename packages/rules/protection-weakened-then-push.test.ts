import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './protection-weakened-then-push.ts';

/** What is found waits half a minute for the change by which a push may have come, so marks stand a line later. */
test('relaxed, pushed, put back: critical, whichever is received first', () => {
  const { findings } = expectTimeline(
    rule,
    `
    08:00  ada      creates ruleset main of acme/app
    09:00  ada      relaxes ruleset main of acme/app (enforcement active → disabled)
    09:01  mallory  pushes c1 to acme/app main
    09:02  ada      puts back ruleset main of acme/app          ← FOUND acme/app@main [critical]
    `,
  );
  expect(findings[0]!.summary).toBe(
    'ada relaxed ruleset main of acme/app (in force), and mallory pushed to main meanwhile; then it was put back. What was pushed need not have passed what protects main.',
  );
  expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'ada' }));
});

test('not put back, it is high by who relaxed it and medium by another', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  relaxes protection main of acme/app (required_approving_review_count 1 → 0)
    09:01  mallory  pushes c1 to acme/app main
    09:05  ada      relaxes protection main of acme/lib (admin_enforced true → false)             ← FOUND acme/app@main [high]
    09:06  bob      pushes c2 to acme/lib main
    09:07           nothing happens                                                               ← FOUND acme/lib@main [medium]
    `,
  );
});

test('somebody is let round it by an edit whose list of changes does not say so', () => {
  expectTimeline(
    rule,
    `
    09:00           ada      creates ruleset main of acme/app (protecting ~DEFAULT_BRANCH)
    day 20  09:00   mallory  changes ruleset main of acme/app (bypassed by mallory-app)
    day 20  09:01   mallory  pushes c1 to acme/app main
    day 20  09:02   mallory  changes ruleset main of acme/app (bypassed by nobody)        ← FOUND acme/app@main [critical]
    `,
  );
});

test('all protections switched off, deleted and made again, across an hour’s end', () => {
  expectTimeline(
    rule,
    `
    09:58  mallory  disables protection of acme/app
    10:01  mallory  pushes c1 to acme/app release/1
    10:02  mallory  enables protection of acme/app                                        ← FOUND acme/app@release/1
    10:59  mallory  deletes ruleset main of acme/lib
    11:01  mallory  pushes c2 to acme/lib main
    11:02  mallory  creates ruleset new of acme/lib (protecting refs/heads/main)          ← FOUND acme/lib@main
    `,
  );
});

test('many pushes to one ref are one finding, another ref is another', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  relaxes ruleset all of acme/app (protecting ~ALL; enforcement active → disabled)
    09:01  mallory  pushes c1 to acme/app main
    09:02  mallory  pushes c2 to acme/app main               ← FOUND acme/app@main
    09:03  bob      pushes c3 to acme/app main
    09:04  mallory  pushes c4 to acme/app next
    09:05           nothing happens                          ← FOUND acme/app@next
    `,
  );
});

test('work goes on: before, after it was put back, elsewhere, later, and where it was made stronger', () => {
  expectTimeline(
    rule,
    `
    08:55  bob  pushes c1 to acme/app main
    09:00  ada  relaxes ruleset main of acme/app (enforcement active → disabled)
    09:01  bob  pushes c2 to acme/app feature/main
    09:02  bob  pushes c3 to acme/lib main
    09:03  ada  puts back ruleset main of acme/app
    09:04  bob  pushes c4 to acme/app main
    10:00  ada  tightens protection main of acme/app (required_approving_review_count 1 → 2)
    10:01  bob  pushes c5 to acme/app main
    11:00  ada  relaxes ruleset old of acme/web (protecting refs/heads/main; enforcement active → disabled)
    12:30  bob  pushes c6 to acme/web main
    13:00  ada  creates ruleset next of acme/web (bypassed by deployer)
    13:01  bob  pushes c7 to acme/web main
    13:02  ada  changes ruleset next of acme/web (name next → trunk)
    13:03  bob  pushes c8 to acme/web main
    `,
  );
});

test('a change that somebody else approved would have passed all the same; one’s own would not, nor would force', () => {
  expectTimeline(
    rule,
    `
    08:00     ada      pushes c0 to acme/app main
    08:01     bob      pushes c1 to acme/app feature
    08:02     bob      opens #7 in acme/app from feature at c1
    08:03     eve      approves #7 in acme/app
    08:04     mallory  pushes c2 to acme/app other
    08:05     mallory  opens #8 in acme/app from other at c2
    09:00     ada      relaxes protection main of acme/app (required_approving_review_count 1 → 0)
    09:01     bob      merges #7 in acme/app as m1
    09:02     ada      puts back protection main of acme/app
    10:00     mallory  relaxes protection main of acme/app (required_approving_review_count 1 → 0)
    10:01     mallory  merges #8 in acme/app as m2
    12:00     mallory  relaxes protection main of acme/app (allow_force_pushes_enforcement_level off → everyone)   ← FOUND acme/app@main [high]
    12:01     mallory  pushes m1 to acme/app main (forced)
    12:02     nothing happens                                                                                     ← FOUND acme/app@main [high]
    `,
  );
});

describe('who relaxes a protection hides it neither by', () => {
  const relaxed = (branch: string) => `
    08:00     ada      creates ruleset main of acme/app (protecting ~ALL)
    09:00     mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
    09:00:02  mallory  pushes evil to acme/app ${branch}
    09:00:04  mallory  puts back ruleset main of acme/app
    `;
  const inSeconds = (count: number, line: (nth: number) => string) =>
    Array.from(
      { length: count },
      (_, nth) => `09:00:${String(6 + (nth % 20)).padStart(2, '0')}  mallory  ${line(nth)}`,
    );

  test.each([
    ...['main', 'release/1'].map((branch) => {
      return ['pushing hundreds of branches', branch, inSeconds(210, (nth) => `pushes x${nth} to acme/app s${nth}`)];
    }),
    ['making more rulesets', 'main', inSeconds(45, (nth) => `creates ruleset r${nth} of acme/app`)],
    [
      'relaxing it again and again',
      'main',
      inSeconds(38, (nth) =>
        nth % 2 === 0
          ? 'relaxes ruleset main of acme/app (enforcement active → disabled)'
          : 'puts back ruleset main of acme/app',
      ),
    ],
  ] as [how: string, branch: string, lines: string[]][])('%s, on %s', (_, branch, lines) => {
    const events = eventsOf([relaxed(branch), ...lines].join('\n'));
    const played = playTimeline({ rules: [rule], events, untilMs: Date.parse('2026-03-12T00:00:00Z') });
    expect(played.findings.filter((one) => one.rule === rule.id)).toMatchObject([
      { subject: `acme/app@${branch}`, severity: 'critical' },
    ]);
  });

  test('editing its pattern away and back, also where nobody heard of it before', () => {
    for (const before of ['08:00  ada  creates protection main of acme/app', '']) {
      expectTimeline(
        rule,
        `
        ${before}
        09:00  mallory  changes protection main of acme/app (name main → zzz)
        09:01  mallory  pushes evil to acme/app main
        09:02  mallory  changes protection main of acme/app (name zzz → main)      ← FOUND acme/app@main [critical]
        `,
      );
    }
  });
});

test('a ruleset for branches covers no tag; one that covers less is as strong where it covers still', () => {
  expectTimeline(
    rule,
    `
    08:00  ada  creates ruleset all of acme/app (protecting ~ALL)
    09:00  ada  relaxes ruleset all of acme/app (enforcement active → disabled)
    09:01  bob  tags c1 of acme/app as v1.0.0
    09:02  ada  puts back ruleset all of acme/app
    10:00  ada  creates protection main of acme/web
    11:00  ada  changes protection main of acme/web (name main → trunk)
    11:01  bob  pushes c2 to acme/web trunk
    12:00  ada  creates ruleset two of acme/lib (protecting refs/heads/main, refs/heads/old)
    13:00  ada  changes ruleset two of acme/lib (protecting refs/heads/main)
    13:01  bob  pushes c3 to acme/lib main
    `,
  );
});

test('a ruleset of the default branch covers another while that is switched', () => {
  expectTimeline(
    rule,
    `
    08:00  ada      creates ruleset default of acme/app (protecting ~DEFAULT_BRANCH)
    09:00  mallory  makes tmp the default of acme/app
    09:01  mallory  pushes evil to acme/app main
    09:02  mallory  makes main the default of acme/app      ← FOUND acme/app@main [critical]
    `,
  );
  expectTimeline(
    rule,
    `
    08:00  ada  creates ruleset default of acme/app (protecting ~DEFAULT_BRANCH)
    08:01  ada  creates protection main of acme/web
    09:00  ada  makes trunk the default of acme/app
    09:01  bob  pushes c1 to acme/app trunk
    10:00  ada  makes trunk the default of acme/web
    10:01  bob  pushes c2 to acme/web main
    `,
  );
});

test('what is told late may have it that it was relaxed earlier, and too early for the push', () => {
  expectTimeline(
    rule,
    `
    08:00  ada      creates ruleset main of acme/app (bypassed by nobody)
    09:50  ada      changes ruleset main of acme/app (bypassed by bot)
    10:10  ada      changes ruleset main of acme/app (bypassed by bot)
    11:05  mallory  pushes c1 to acme/app main
    `,
  );
});

test('whoever pushes while an automation has it relaxed is named, however much the automation pushes', () => {
  const pushes = Array.from({ length: 25 }, (_, nth) => `09:${10 + nth} bot pushes b${nth} to acme/app main`);
  const text = [
    '09:00 bot relaxes ruleset main of acme/app (enforcement active → disabled)',
    ...pushes,
    '09:50 mallory pushes evil to acme/app main',
  ];
  const played = playTimeline({
    ...{ rules: [rule], events: eventsOf(text.join('\n')) },
    untilMs: Date.parse('2026-03-12T00:00:00Z'),
  });
  const named = [...played.all, ...played.changes].flatMap(({ entities = [] }) => entities.map(({ id }) => id));
  expect(named).toContain('mallory');
});
