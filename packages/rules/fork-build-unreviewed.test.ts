import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule as builds } from './build-from-unreviewed-commit.ts';
import { rule } from './fork-build-unreviewed.ts';

const change = `
    09:00  mallory  opens #9 in acme/app from x at f (of fork mallory; association CONTRIBUTOR)
    09:01  mallory  starts run 7 of ci in acme/app at f (trigger pull_request; of fork mallory; on x)`;
const deploys = '    09:02  mallory  starts job deploy of run 7 (to production)';

test('a fork’s pull request that names an environment, set off by somebody who may not write', () => {
  expectTimeline(rule, `${change}\n${deploys}   ← FOUND acme/app@f [high]`);
});

test('it is said by this rule alone, and what the house builds by the other', () => {
  const events = eventsOf(`${change}\n${deploys}`);
  const untilMs = Math.max(...events.map(({ atMs }) => atMs)) + 86_400_000;
  const { findings, superseded } = playTimeline({ rules: [builds, rule], events, untilMs, learningDays: 0 });
  expect(findings.map(({ id, rule }) => [rule, superseded.has(id)]).toSorted()).toEqual([
    ['build-from-unreviewed-commit', true],
    ['fork-build-unreviewed', false],
  ]);
  expect(rule.settings).toBe(builds.settings);
});

test('honest work: no environment, one that anybody may deploy to, a head that the house approved, or somebody of the house', () => {
  expectTimeline(rule, change);
  expectTimeline(rule, `${change}\n${deploys}`, { settings: { [rule.id]: { exemptEnvironments: ['prod*'] } } });
  expectTimeline(
    rule,
    `
    08:59  ada      gives carol write on acme/app
    09:00  mallory  opens #9 in acme/app from x at f (of fork mallory; association CONTRIBUTOR)
    09:00  carol    approves #9 in acme/app
    09:01  mallory  starts run 7 of ci in acme/app at f (trigger pull_request; of fork mallory; on x)
    09:02  mallory  starts job deploy of run 7 (to production)
    `,
  );
  expectTimeline(
    rule,
    `
    08:00  bob  pushes z to acme/app y (from nothing)
    09:00  bob  opens #9 in acme/app from x at f (of fork bob)
    09:01  bob  starts run 7 of ci in acme/app at f (trigger pull_request; of fork bob; on x)
    09:02  bob  starts job deploy of run 7 (to production)
    `,
  );
});
