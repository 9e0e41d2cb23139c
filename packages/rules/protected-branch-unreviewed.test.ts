import { createHash } from 'node:crypto';
import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './protected-branch-unreviewed.ts';
import { rule as ciFiles } from './workflow-changed-unreviewed.ts';

const repository = 'acme/app';
const inventoryOf = (patterns: string[]) =>
  at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    'tripline.inventory.heads': [
      { repository, branch: 'main', revision: createHash('sha1').update('commit day1').digest('hex') },
    ],
    'tripline.inventory.protected': [{ repository, patterns }],
  });
const before = [inventoryOf(['main', 'release/*'])];
const play = (text: string, settings: Record<string, unknown> = {}) =>
  expectTimeline(rule, text, { before, settings: { [rule.id]: settings } });
/** A stranger's change, of which `who` says what is to become. */
const change = (who: string) => `
    09:00     ola   opens #7 in acme/app from bump at b1 (of fork ola; association FIRST_TIME_CONTRIBUTOR)
    09:00:01  ${who}  approves #7 in acme/app
    09:00:03  ${who}  merges #7 in acme/app as m1`;

test('a push straight to it, and one that was forced, are said where they land', () => {
  const { findings } = play(`
    09:00  mallory  pushes c1 to acme/app main (from day1)             ← FOUND acme/app@c1 [medium/high]
    09:05  mallory  pushes c2 to acme/app release/1 (from nothing)     ← FOUND acme/app@c2
    09:10  ada      pushes c3 to acme/app topic (from day1)
  `);
  expect(findings[0]!.title).toMatch(/^mallory pushed \w{12} to main of acme\/app, and nobody else reviewed it$/);
  expect(findings.map(({ response }) => response.map(({ action }) => action))).toEqual([['restore-ref'], []]);
});

test.each([
  [0, 1],
  [1, 0],
])('two pushes within a second, whatever their ids (%i, %i): neither stood there before', (...ids) => {
  // GitHub tells of pushes to the second, so that either may pass for the first that was received.
  const pushes = eventsOf(`
    09:00  mallory  pushes c1 to acme/app release/1 (from old)
    09:00  mallory  pushes c2 to acme/app release/1
  `).map((event, nth) => ({ ...event, id: `push ${ids[nth]}` }));
  const untilMs = Date.parse('2026-03-12T00:00:00Z');
  const played = playTimeline({ rules: [rule], events: [...before, ...pushes], untilMs });
  expect(played.findings.map(({ subject }) => subject)).toHaveLength(2);
  expect(played.retracted).toEqual([]);
});

test('a change that a bot alone approved, and merged within seconds', () => {
  const { findings } = play(`${change('bumper[bot]')}
    09:00:20  nothing happens
    09:00:40  nothing happens                                           ← FOUND acme/app@m1
  `);
  expect(findings[0]!.summary).toMatch(/change #7 has no live approval of its last commit by somebody else/);
  // An account that looks like a person's: the house says that it is none.
  const machine = play(change('bumper'));
  expect(machine.findings).toEqual([]);
});

test('what somebody of the house approved is work, however late it is received', () => {
  play(change('bob'));
  play(`${change('bumper[bot]')}
    09:00:02  bob  approves #7 in acme/app (heard 09:20)                ← RETRACTED acme/app@m1
    09:00:40  nothing happens                                           ← FOUND acme/app@m1
  `);
  play(change('bumper[bot]'), { mergeBots: [{ account: 'bumper[bot]', approves: true }] });
});

test('of a branch that nobody is known to protect nothing is said', () => {
  const push = '09:00  mallory  pushes c1 to acme/app main (from day1)';
  expectTimeline(rule, push, { before: [inventoryOf([])] });
  expectTimeline(rule, push);
});

test('what changes CI files is said once', () => {
  const events = [
    ...before,
    ...eventsOf('09:00  mallory  pushes c1 to acme/app main (from day1; touching .github/workflows/ci.yml)'),
  ];
  const { findings, superseded } = playTimeline({
    ...{ rules: [rule, ciFiles], events, untilMs: Date.parse('2026-03-12T00:00:00Z') },
  });
  expect(findings.filter(({ id }) => !superseded.has(id)).map((one) => one.rule)).toEqual([ciFiles.id]);
  expect(findings).toHaveLength(2);
});
