import { exceptionOf } from '@tripline/contracts/exception';
import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './self-hosted-runner-fork.ts';

test('code of a fork on a machine of one’s own, whichever is received first', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory; on feature)
    09:01  mallory  starts job build of run 7 (on box-1)     ← FOUND acme/app#7 [critical/high]
    09:01  mallory  starts job lint of run 7
    09:05  mallory  finishes job build of run 7
    09:06  mallory  finishes run 7
    `,
  );
  expect(findings[0]!.title).toBe('Code of a fork ran on box-1, set off by mallory');
  expect(findings[0]!.response).toMatchObject([
    { action: 'stop-run', provider: 'github', instance: 'github.com', repository: 'acme/app', runId: '7' },
    { action: 'isolate-runner', organization: 'acme', runnerName: 'box-1' },
  ]);
});

test('many jobs of one attempt are one finding, another attempt is another', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory)
    09:01  mallory  starts job build-1 of run 7 (on box-1)     ← FOUND acme/app#7
    09:02  mallory  starts job build-2 of run 7 (on box-2)
    09:03  mallory  starts job build-3 of run 7 (on box-3)
    10:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory; attempt 2)
    10:01  mallory  starts job build-1 of run 7 (on box-1)     ← FOUND acme/app#7
    `,
  );
});

test('an exception for some machines is none for one that the fork’s many jobs hide', () => {
  const jobs = Array.from(
    { length: 30 },
    (_, nth) => `09:01:${10 + nth} mallory starts job j${nth} of run 7 (on ephemeral-${nth})`,
  );
  const text = ['09:00 mallory starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory)', ...jobs];
  const exceptions = [
    {
      ...{ rules: [rule.id], when: { runner: ['github:github.com:runner:*'] } },
      ...{ owner: 'ada', reason: 'made for one job', until: '2027-01-01T00:00:00Z' },
    },
  ];
  const found = (lines: readonly string[]) =>
    playTimeline({ rules: [rule], events: eventsOf(lines.join('\n')), untilMs: Date.parse('2026-03-12T00:00:00Z') });
  const [finding] = found(text.slice(0, 10)).findings;
  expect(exceptionOf(finding!, exceptions)).toBeDefined();
  // Of more than a finding names nobody sees which they are.
  const [crowded] = found(text).all;
  const entities = [...crowded!.entities, ...found(text).changes.flatMap(({ entities: more = [] }) => more)];
  expect(exceptionOf({ ...crowded!, entities }, exceptions)).toBeUndefined();
});

test('a fork’s change beside the base’s own workflow is medium', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of label in acme/app at c1 (trigger pull_request_target; of fork mallory)
    09:01  mallory  starts job label of run 7 (on box-1)     ← FOUND acme/app#7 [medium]
    `,
  );
});

test('forks on the provider’s machines, and one’s own branches on one’s own, are work', () => {
  expectTimeline(
    rule,
    `
    09:00  eve  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork eve)
    09:01  eve  starts job build of run 7
    09:02  ada  starts run 8 of ci in acme/app at c2 (trigger pull_request; on feature)
    09:03  ada  starts job build of run 8 (on box-1)
    09:04  ada  starts run 9 of ci in acme/app at c3
    09:05  ada  starts job build of run 9 (on box-1; to production)
    `,
  );
});

test('GitHub’s machines in a group of yours are theirs, and yours in a group of their name are yours', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork mallory)
    09:01  mallory  starts job build of run 7 (on box-1; group GitHub Actions; group id 3; labels self-hosted)   ← FOUND acme/app#7
    `,
  );
});

test('larger machines of GitHub’s in a group of yours are theirs, once an inventory tells that the group holds no others', () => {
  const inventory = (selfHosted: number) =>
    at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
      'tripline.inventory.part': 1,
      'tripline.inventory.parts': 1,
      'tripline.inventory.runner_groups': [{ id: '7', name: 'large', hosted: ['large'], selfHosted }],
    });
  const text = `
    09:00  eve  starts run 7 of ci in acme/app at c1 (trigger pull_request; of fork eve)
    09:01  eve  starts job build of run 7 (on large_ab12; group large; group id 7; labels large)`;
  expectTimeline(rule, text, { before: [inventory(0)] });
  expectTimeline(rule, `${text}   ← FOUND acme/app#7`, { before: [inventory(1)] });
  expectTimeline(rule, `${text}   ← FOUND acme/app#7`);
});
