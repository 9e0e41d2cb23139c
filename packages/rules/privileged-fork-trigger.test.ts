import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule as unreviewed } from './build-from-unreviewed-commit.ts';
import { rule } from './privileged-fork-trigger.ts';

const opened = '09:00  mallory  opens #7 in acme/app from x at evil (of fork mallory; association NONE)';
const ran =
  '09:01  mallory  starts run 7 of label in acme/app at evil (trigger pull_request_target; of fork mallory; on x)';

test('a workflow that never ran for forks before, once; and each that holds more than its token', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${opened}
    ${ran}     ← FOUND acme/app@evil [medium/high]
    09:02  mallory  starts job label of run 7
    09:03  mallory  finishes run 7
    09:10  eve      opens #8 in acme/app from y at e1 (of fork eve; association NONE)
    09:11  eve      starts run 8 of label in acme/app at e1 (trigger pull_request_target; of fork eve; on y)
    09:12  eve      opens #9 in acme/app from z at e2 (of fork eve; association NONE)
    09:13  eve      starts run 9 of label in acme/app at e2 (trigger pull_request_target; of fork eve; on z)
    09:14  eve      starts job deploy of run 9 (to production)     ← FOUND acme/app@e2 [high/high]
    `,
  );
  expect(findings[0]!.title).toBe('label ran for a fork with the rights of acme/app, set off by mallory');
  expect(findings[0]!.response).toMatchObject([{ action: 'stop-run', repository: 'acme/app', runId: '7' }]);
});

test('what is known to use secrets, and what ran on a machine of one’s own', () => {
  const file = 'acme/app/.github/workflows/label.yml';
  expectTimeline(rule, `${opened}\n${ran}     ← FOUND acme/app@evil [high/high]`, {
    settings: { [rule.id]: { secretWorkflows: [file] } },
  });
  // As a workflow that is new, and by what it turned out to hold.
  const { changes } = expectTimeline(
    rule,
    `
    ${opened}
    ${ran}     ← FOUND acme/app@evil [high]
    09:02  mallory  starts job build of run 7 (on box-1)
    `,
  );
  expect(changes.map(({ kind, severity }) => [kind, severity])).toEqual([['grown', 'high']]);
});

test('labellers that ran before, maintainers who set it off, and heads that somebody approved are work', () => {
  // Usual while the workspace was learned, and for each fork afterwards.
  expectTimeline(
    rule,
    `
            09:00  eve  opens #7 in acme/app from y at e1 (of fork eve; association NONE)
            09:01  eve  starts run 7 of label in acme/app at e1 (trigger pull_request_target; of fork eve; on y)
    day 20  09:00  dan  opens #8 in acme/app from z at e2 (of fork dan; association NONE)
    day 20  09:01  dan  starts run 8 of label in acme/app at e2 (trigger pull_request_target; of fork dan; on z)
    `,
    { learningDays: 14, anyOrder: false },
  );
  const label =
    '09:05  carol  starts run 7 of label in acme/app at evil (trigger pull_request_target; of fork mallory; on x)';
  // Whoever pushed may write.
  expectTimeline(rule, `08:00  carol  pushes c1 to acme/app main\n${opened}\n${label}`);
  expectTimeline(rule, `${opened}\n09:02  carol  approves #7 in acme/app\n${label.replace('carol', 'mallory')}`);
  // No fork: bots that update dependencies, and one's own branches.
  expectTimeline(
    rule,
    `
    09:00  dependabot[bot]  pushes d1 to acme/app dependabot/npm (from nothing)
    09:00  dependabot[bot]  opens #7 in acme/app from dependabot/npm at d1
    09:01  dependabot[bot]  starts run 7 of merge in acme/app at d1 (trigger pull_request_target; on dependabot/npm)
    09:02  dependabot[bot]  starts job merge of run 7 (to production)
    09:03  eve  opens #8 in acme/app from y at e1 (of fork eve; association NONE)
    09:04  eve  starts run 8 of ci in acme/app at e1 (trigger pull_request; of fork eve; on y)
    09:05  eve  starts run 9 of chat in acme/app at c1 (trigger issue_comment)
    `,
  );
});

test('a workflow that first ran so after what was learned', () => {
  expectTimeline(
    rule,
    `
            09:00  eve      opens #6 in acme/app from y at e1 (of fork eve; association NONE)
            09:01  eve      starts run 6 of label in acme/app at e1 (trigger pull_request_target; of fork eve; on y)
    day 20  09:00  mallory  opens #7 in acme/app from x at evil (of fork mallory; association NONE)
    day 20  09:01  mallory  starts run 7 of build in acme/app at evil (trigger pull_request_target; of fork mallory)   ← FOUND acme/app@evil [medium]
    `,
    { learningDays: 14, anyOrder: false },
  );
});

test('the base’s commit is all that GitHub says of such a run', () => {
  const merged = `
    08:00  ada  opens #1 in acme/app from fix at f1
    08:01  bob  approves #1 in acme/app
    08:02  bob  merges #1 in acme/app as c1`;
  const onBase = ran.replace('evil', 'c1');
  const settings = { [rule.id]: { secretWorkflows: ['acme/app/.github/workflows/label.yml'] } };
  const { findings } = expectTimeline(rule, `${merged}\n${opened}\n${onBase}     ← FOUND acme/app@c1 [high/high]`, {
    settings,
  });
  // The commit is everybody's, by which nothing joins an incident.
  expect(findings[0]!.entities.map(({ kind }) => kind)).toEqual(['run', 'repository', 'user']);
  // An approval is of a head, of which nothing says that it was this one.
  expectTimeline(
    rule,
    `${merged}\n${opened}\n09:00:30 carol approves #7 in acme/app\n${onBase}     ← FOUND acme/app@c1 [high/high]`,
    { settings },
  );
  // As for each change of the house.
  expectTimeline(rule, `${merged}\n${onBase.replace('; of fork mallory', '')}`, { settings });
});

test('a right to write that somebody got afterwards excuses nothing', () => {
  const settings = { [rule.id]: { secretWorkflows: ['acme/app/.github/workflows/label.yml'] } };
  expectTimeline(
    rule,
    `${opened}\n${ran}     ← FOUND acme/app@evil [high/high]\n09:30  mallory  pushes c2 to acme/app loot (from nothing)`,
    { settings },
  );
});

test('what no inventory tells is learned in the learning period, whatever was imported', () => {
  const inventory = at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    'tripline.inventory.heads': [],
  });
  const timeline = (mark: string) => `
            09:00  eve      opens #6 in acme/app from y at e1 (of fork eve; association NONE)
            09:01  eve      starts run 6 of label in acme/app at e1 (trigger pull_request_target; of fork eve; on y)
    day 20  09:00  mallory  opens #7 in acme/app from x at evil (of fork mallory; association NONE)
    day 20  09:01  mallory  starts run 7 of build in acme/app at evil (trigger pull_request_target; of fork mallory)   ${mark}`;
  expectTimeline(rule, timeline('← FOUND acme/app@evil [medium]'), {
    ...{ before: [inventory], learningDays: 14, anyOrder: false },
  });
});

test('it speaks for the wider rule of builds that nobody reviewed', () => {
  const events = eventsOf(`${opened}\n${ran}\n09:02  mallory  starts job deploy of run 7 (to production)`);
  const untilMs = Date.parse('2026-03-13T00:00:00Z');
  const { findings, superseded } = playTimeline({ rules: [rule, unreviewed], events, untilMs });
  const told = findings.map((one) => `${superseded.has(one.id) ? 'superseded ' : ''}${one.rule} ${one.severity}`);
  expect(told.sort()).toEqual([`${rule.id} high`, `superseded ${unreviewed.id} high`]);
});

test('many runs of strangers neither hide the first nor make another of it', () => {
  const many = Array.from({ length: 150 }, (_, nth) => {
    const [hour, minute] = [10 + Math.floor(nth / 60), String(nth % 60).padStart(2, '0')];
    return `${hour}:${minute} sock${nth % 20} starts run ${100 + nth} of label in acme/app at s${nth} (trigger pull_request_target; of fork sock${nth % 20}; on x${nth})`;
  });
  expectTimeline(rule, `${opened}\n${ran}     ← FOUND acme/app@evil [medium]\n${many.join('\n')}`, { anyOrder: false });
});
