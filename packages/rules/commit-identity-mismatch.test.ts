import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './commit-identity-mismatch.ts';

const ci = 'touching .github/workflows/hook.yml';

test('a workflow in the name of Dependabot, pushed by a person', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  pushes evil to acme/app main (${ci}; made as dependabot[bot])   ← FOUND acme/app@evil [high/high]
    `,
  );
  expect(findings[0]!.title).toBe('ada changed .github/workflows/hook.yml of acme/app in the name of dependabot[bot]');
  expect(findings[0]!.entities.map(({ kind, id }) => `${kind} ${id}`)).toContain('user ada');
});

test('in the name of another bot, or of somebody who may write', () => {
  expectTimeline(
    rule,
    `
    08:00  carol    pushes c0 to acme/app main
    09:00  mallory  pushes a1 to acme/app x (${ci}; made as deployer[bot])   ← FOUND acme/app@a1 [medium]
    09:01  mallory  pushes a2 to acme/app x (${ci}; made as carol)   ← FOUND acme/app@a2 [medium]
    09:02  mallory  pushes a3 to acme/app x (${ci}; made as a-stranger)
    `,
  );
});

test('what bots push themselves, rebases, picks, merges and what a fork brought are work', () => {
  expectTimeline(
    rule,
    `
    08:00  carol  pushes c0 to acme/app main
    08:01  dependabot[bot]  pushes d1 to acme/app dependabot/actions (${ci}; made as dependabot[bot])
    # Somebody takes the very commit over to another branch, or rebases it.
    08:02  ada    pushes d1 to acme/app main (${ci}; made as dependabot[bot])
    08:03  ada    pushes d2 to acme/app main (${ci}; made as dependabot[bot]; committed by ada)
    # By the provider's pages.
    08:04  ada    pushes d3 to acme/app main (${ci}; made as dependabot[bot]; committed by web-flow)
    08:05  ada    pushes c1 to acme/app main (${ci}; made as carol; committed by ada)
    # Carol works in a fork, and Ada merges by hand.
    08:06  carol  opens #7 in acme/app from x at c2 (of fork carol)
    08:07  ada    pushes c2 to acme/app main (${ci}; made as carol)
    08:08  ada    pushes c3 to acme/app main (made as dependabot[bot])
    08:09  sync[bot]  pushes c4 to acme/app main (${ci}; made as carol)
    `,
  );
});

test('that it was theirs, received late, takes it back', () => {
  expectTimeline(
    rule,
    `
    08:01  dependabot[bot]  pushes d1 to acme/app dependabot/actions (${ci}; made as dependabot[bot]; heard 10:00)   ← RETRACTED acme/app@d1
    08:02  ada    pushes d1 to acme/app main (${ci}; made as dependabot[bot])   ← FOUND acme/app@d1
    `,
  );
});

describe('a merge by the provider’s pages, of a change by merge commits', () => {
  const merge = (by: string, of = '2', commits = 'c1,c2,m', as = 'carol') => `
    10:00  ${by}  pushes ${commits} to acme/app main (${ci}; made as ${as}; under a merge)
    10:00  ${by}  merged #7 of acme/app as m (consisting of ${of})`;
  const known = '08:00  carol  pushes c0 to acme/app main';

  test('is of commits that were pushed to its branch, or before anybody listened', () => {
    expectTimeline(
      rule,
      `${known}
      09:00  carol  pushes c1,c2 to acme/app x (${ci}; made as carol)
      09:01  carol  opens #7 in acme/app from x at c2
      ${merge('ada')}`,
    );
    const events = eventsOf(`${known}
      09:01  carol  opens #7 in acme/app from x at c2
      ${merge('ada')}`);
    const heard = events.filter(({ type }) => type !== 'dev.cdevents.change.created');
    expect(heard).toHaveLength(events.length - 1);
    const { all } = playTimeline({ rules: [rule], events: heard, untilMs: Date.parse('2026-03-12T00:00:00Z') });
    expect(all).toEqual([]);
  });

  test('is of commits of a fork by who opened it', () => {
    const opened = '09:01  carol  opens #7 in acme/app from x at c2 (of fork carol)';
    expectTimeline(rule, `${known}\n${opened}\n${merge('ada')}`);
    const played = (text: string) =>
      playTimeline({
        ...{ rules: [rule], events: eventsOf(text), untilMs: Date.parse('2026-03-12T00:00:00Z') },
      }).findings.map(({ title }) => title);
    // Another's name in a fork of one's own, which nobody hears of until it is merged.
    expect(played(`${known}\n${opened.replaceAll('carol', 'mallory')}\n${merge('ada')}`)).toHaveLength(1);
  });

  test('covers nothing more than the change: neither another commit beneath it, nor the merge, nor what was pushed in another’s name', () => {
    const opened = `${known}
      09:00  mallory  pushes c1,c2 to acme/app x
      09:01  mallory  opens #7 in acme/app from x at c2`;
    const bot = 'dependabot[bot]';
    const played = (text: string) =>
      playTimeline({
        ...{ rules: [rule], events: eventsOf(text), untilMs: Date.parse('2026-03-12T00:00:00Z') },
      }).findings.map(({ severity }) => severity);
    expect(played(`${opened}${merge('mallory', '2', 'c1,c2,evil,m', bot)}`)).toEqual(['high']);
    expect(
      played(`${opened}
      10:00  mallory  pushes c1,c2,m to acme/app main (${ci}; made as ${bot})
      10:00  mallory  merged #7 of acme/app as m (consisting of 2)`),
    ).toEqual(['high']);
    const inBranch = opened.replace('acme/app x\n', `acme/app x (${ci}; made as ${bot})\n`);
    expect(played(`${inBranch}${merge('ada', '2', 'c1,c2,m', bot)}`)).toEqual(['high']);
  });

  test('waits for the merge to be told, and no longer', () => {
    expectTimeline(
      rule,
      `
      10:00  mallory  pushes c1,m to acme/app main (${ci}; made as dependabot[bot]; under a merge)
      10:02  nothing happens   ← FOUND acme/app@m [high]
      `,
    );
  });
});
