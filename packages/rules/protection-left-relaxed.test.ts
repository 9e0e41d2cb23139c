import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './protection-left-relaxed.ts';
import { rule as soon } from './protection-weakened-then-push.ts';

/** What is found waits half a minute for the change by which a push may have come, so marks stand a line later. */
describe('who waits until the hour is over is found', () => {
  test('relaxed, pushed after 61 minutes, put back: critical', () => {
    const { findings } = expectTimeline(
      [rule, soon],
      `
      08:00  ada      creates ruleset main of acme/app
      09:00  mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
      10:01  mallory  pushes evil to acme/app main
      10:02  mallory  puts back ruleset main of acme/app          ← FOUND acme/app@main [critical/high]
      10:03           nothing happens
      `,
    );
    expect(findings).toMatchObject([{ rule: 'protection-left-relaxed', severity: 'critical', confidence: 'high' }]);
    expect(findings[0]!.summary).toMatch(
      /^mallory relaxed ruleset main of acme\/app \(in force\) at .*; then it was put back\./,
    );
    expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'mallory' }));
  });

  test('after weeks, and put back after two hours more', () => {
    expectTimeline(
      [rule, soon],
      `
      08:00          ada      creates ruleset main of acme/app
      09:00          mallory  relaxes ruleset main of acme/app (bypassed by mallory-app)
      day 30  10:00  mallory  pushes evil to acme/app main
      day 30  10:01           nothing happens                                               ← FOUND acme/app@main [high]
      day 30  12:30  mallory  changes ruleset main of acme/app (bypassed by nobody)
      `,
    );
  });

  test('pushed within the hour, and put back only after it', () => {
    expectTimeline(
      [rule, soon],
      `
      09:00  ada      relaxes ruleset main of acme/app (enforcement active → disabled)
      09:59  mallory  pushes evil to acme/app main
      10:30  ada      puts back ruleset main of acme/app     ← FOUND acme/app@main
      10:31           nothing happens
      `,
    );
  });

  test('behind the pushes of others, of which one was told', () => {
    expectTimeline(
      rule,
      `
      09:00          mallory  relaxes protection main of acme/app (required_approving_review_count 1 → 0)
      11:00          bob      pushes c1 to acme/app main
      11:01                   nothing happens                                                              ← FOUND acme/app@main [high/medium]
      day 2   11:00  bob      pushes c2 to acme/app main
      day 3   11:00  mallory  pushes evil to acme/app main
      day 3   11:01           nothing happens
      `,
    );
  });

  test('on a ref that only the pattern for all covers, put back within the day', () => {
    expectTimeline(
      rule,
      `
      08:00         ada      creates ruleset all of acme/app (protecting ~ALL)
      day 8  09:00  mallory  relaxes ruleset all of acme/app (enforcement active → disabled)
      day 8  11:00  mallory  pushes evil to acme/app release/1
      day 8  11:05  bob      pushes c1 to acme/app feature
      day 8  14:00  mallory  puts back ruleset all of acme/app          ← FOUND acme/app@release/1 [high]; FOUND acme/app@feature [medium]
      `,
    );
  });

  test('with a dozen pushes more, by which the first would be forgotten before it is told', () => {
    const more = Array.from({ length: 12 }, (_, nth) => `10:01:${nth + 12}  mallory  pushes m${nth} to acme/app main`);
    expectTimeline(
      rule,
      `
      09:00     mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
      10:01:10  mallory  pushes evil to acme/app main
      ${more.join('\n')}
      10:02              nothing happens                                      ← FOUND acme/app@main [high]
      `,
      { anyOrder: false },
    );
  });

  test('by force to what was reviewed, or by a change that nobody else approved', () => {
    expectTimeline(
      rule,
      `
      08:00     ada      pushes c0 to acme/app main
      08:04     mallory  pushes c2 to acme/app other
      08:05     mallory  opens #8 in acme/app from other at c2
      09:00     ada      relaxes protection main of acme/app (required_approving_review_count 1 → 0)
      11:01     mallory  merges #8 in acme/app as m2
      11:10     nothing happens                                                    ← FOUND acme/app@main [medium/medium]
      `,
    );
  });
});

/** A body that says no time, sent once more by whoever kept it. */
describe('a protection that somebody’s old delivery puts back is relaxed still', () => {
  const replayed = (pushedAt: string) => {
    const events = eventsOf(`
      08:00  ada      disables protection of acme/app
      08:01  ada      enables protection of acme/app
      09:00  mallory  disables protection of acme/app
      09:05  ada      enables protection of acme/app
      ${pushedAt}  mallory  pushes evil to acme/app main
    `);
    return events.map((event) =>
      event.type === 'dev.cdeventsx.tripline-control.changed' && event.data['tripline.control.action'] === 'enabled'
        ? { ...event, bodySha256: 'ab'.repeat(32) }
        : event,
    );
  };
  const answered = (id: string, proof: 'listed' | 'not-listed' | 'unavailable') =>
    at(Date.parse('2026-03-11T12:00:00Z'), 'dev.cdeventsx.tripline-delivery.looked-up', {
      'tripline.delivery.id': id,
      'tripline.delivery.proof': proof,
    });
  test.each([
    ['09:30', soon],
    ['10:30', rule],
  ])('pushed at %s', (pushedAt, by) => {
    const events = replayed(pushedAt);
    const { id } = events[3]!;
    const found = (proof?: Parameters<typeof answered>[1]) => {
      const all = proof === undefined ? events : [...events, answered(id, proof)];
      return playTimeline({ rules: [rule, soon], events: all, untilMs: Date.parse('2026-03-12T00:00:00Z') }).findings;
    };
    for (const proof of [undefined, 'not-listed', 'unavailable'] as const)
      expect(found(proof)).toMatchObject([{ rule: by.id, subject: 'acme/app@main', severity: 'high' }]);
    expect(found('listed')).toEqual([]);
  });
});

describe('honest work is silent', () => {
  test('a team that relaxes for good and pushes for months is told once a branch that is named', () => {
    const days = Array.from(
      { length: 40 },
      (_, nth) => `day ${nth + 3}  10:00  ${nth % 3 === 0 ? 'bob' : 'carol'} pushes c${nth} to acme/app main`,
    );
    expectTimeline(
      [rule, soon],
      `
      08:00          ada  creates ruleset main of acme/app (protecting refs/heads/main)
      09:00          ada  relaxes ruleset main of acme/app (enforcement active → disabled)
      day 2   09:00  bob  pushes c to acme/app main
      day 2   09:01       nothing happens                                             ← FOUND acme/app@main [medium/medium]
      ${days.join('\n')}
      `,
      { anyOrder: false },
    );
  });
  test('each branch of a team that gave up a pattern for all, and each release by a pattern', () => {
    expectTimeline(
      rule,
      `
      08:00          ada  creates ruleset all of acme/app (protecting ~ALL)
      08:01          ada  creates ruleset releases of acme/app (protecting refs/heads/release/*)
      09:00          ada  relaxes ruleset all of acme/app (enforcement active → disabled)
      09:01          ada  relaxes ruleset releases of acme/app (enforcement active → disabled)
      day 3   09:00  bob  pushes c1 to acme/app feature (from nothing)
      day 3   09:01  bob  pushes c2 to acme/app feature
      day 5   09:00  bob  pushes c3 to acme/app release/9 (from nothing)
      `,
    );
  });
  test('a ruleset replaced by another as strong, made before or after; one that is weaker replaces nothing', () => {
    const replaced = (before: string, after: string, mark = '') => `
      08:00  ada  creates ruleset main of acme/app (requiring pull_request 1, non_fast_forward)
      ${before === '' ? '' : `09:00  ada  creates ruleset next of acme/app (${before})`}
      09:05  ada  deletes ruleset main of acme/app
      ${after === '' ? '' : `09:10  ada  creates ruleset next of acme/app (${after})`}
      11:00  bob  pushes c1 to acme/app main
      11:01       nothing happens ${mark}
    `;
    const strong = 'protecting ~DEFAULT_BRANCH; requiring pull_request 2, non_fast_forward, deletion';
    const found = '← FOUND acme/app@main [medium/medium]';
    expectTimeline([rule, soon], replaced(strong, ''));
    expectTimeline([rule, soon], replaced('', strong));
    expectTimeline([rule, soon], replaced('protecting ~DEFAULT_BRANCH; requiring pull_request 1', '', found));
    expectTimeline(
      [rule, soon],
      replaced('', 'protecting refs/heads/trunk; requiring pull_request 2, non_fast_forward', found),
    );
    expectTimeline([rule, soon], replaced(`${strong}; bypassed by mallory-app`, '', found));
  });
  test('protections moved from a branch rule to a ruleset, and what is then relaxed is the ruleset', () => {
    const moved = (requiring: string, more = '') => `
      08:00  ada  creates protection main of acme/app
      09:00  ada  creates ruleset main of acme/app (protecting ~DEFAULT_BRANCH; requiring ${requiring})
      09:05  ada  deletes protection main of acme/app
      09:20  bob  pushes c1 to acme/app main
      11:00  bob  pushes c2 to acme/app main
      ${more}
    `;
    const strong = 'pull_request 1, non_fast_forward, deletion';
    expectTimeline([rule, soon], moved(strong));
    expectTimeline(
      [rule, soon],
      moved(
        strong,
        `12:00  mallory  relaxes ruleset main of acme/app (enforcement active → disabled)
      13:30  mallory  pushes evil to acme/app main
      13:31           nothing happens                       ← FOUND acme/app@main [high]`,
      ),
    );
  });
  test('an administrator relaxes for a migration, which comes by a change that somebody else approved', () => {
    expectTimeline(
      [rule, soon],
      `
      08:00     ada  pushes c0 to acme/app main
      09:00     ada  relaxes protection main of acme/app (required_approving_review_count 2 → 0)
      10:00     ada  pushes h to acme/app migration (from nothing)
      10:01     ada  opens #7 in acme/app from migration at h
      11:00     eve  approves #7 in acme/app
      11:30     ada  merges #7 in acme/app as m
      11:40     ada  puts back protection main of acme/app
      12:00     bob  pushes c2 to acme/app main
      `,
    );
  });
});
