import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './ephemeral-branch-secret-run.ts';

const ci = 'touching .github/workflows/x.yml';
const subject = 'acme/app@refs/heads/tmp';

test('made with a workflow of its own, run, and gone, as at tj-actions', () => {
  const { findings } = expectTimeline(
    rule,
    `
    08:00     ada      pushes day1 to acme/app main
    09:00:00  mallory  pushes evil to acme/app tmp (from nothing; ${ci})
    09:00:00  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:00:01  mallory  deletes branch tmp of acme/app
    09:05     nothing happens   ← FOUND ${subject} [high/high]
    `,
  );
  expect(findings[0]!.title).toBe('mallory made branch tmp of acme/app, had it run, and deleted it after 1 s');
  expect(findings[0]!.response).toMatchObject([{ action: 'stop-run', repository: 'acme/app', runId: '7' }]);
});

test('what its run was given is made anew, and until then deleted; not where a change was opened of it', () => {
  const lines = (opened: string, mark: string) => `
    09:00:00  mallory  pushes evil to acme/app tmp (from nothing; ${ci})
    ${opened}
    09:00:20  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:00:21  github   hands NPM_TOKEN to job build of acme/app (of workflow acme/app/.github/workflows/x.yml@refs/heads/tmp; in run 7)
    09:05:00  mallory  deletes branch tmp of acme/app
    09:06     nothing happens${mark}
    `;
  const { findings } = expectTimeline(rule, lines('', `   ← FOUND ${subject} [high]`));
  expect(findings[0]!.response).toMatchObject([
    { action: 'stop-run', runId: '7' },
    { action: 'rotate-secret', secret: 'NPM_TOKEN' },
    { action: 'delete-secret', secret: 'NPM_TOKEN', storedBefore: expect.stringContaining('T09:05:00') },
  ]);
  const events = eventsOf(lines('09:00:10  mallory  opens #7 in acme/app from tmp at evil', ''));
  const played = playTimeline({ rules: [rule], events, untilMs: events.at(-1)!.atMs + 3_600_000 });
  expect(played.findings[0]!.response.map(({ action }) => action)).toEqual(['stop-run', 'rotate-secret']);
});

test('a change that was opened of it is told late: medium, in the end', () => {
  expectTimeline(
    rule,
    `
    08:00     ada      pushes day1 to acme/app main
    09:00:00  mallory  pushes evil to acme/app tmp (from nothing; ${ci})
    09:00:10  mallory  opens #7 in acme/app from tmp at evil
    09:00:20  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:05:00  mallory  deletes branch tmp of acme/app
    09:15     nothing happens   ← FOUND ${subject} [medium]
    `,
  );
});

test('made with nothing new in it, whose run deployed or was given secrets', () => {
  expectTimeline(
    rule,
    `
    08:00     ada      pushes day1 to acme/app main
    09:00:00  mallory  pushes evil to acme/app tmp (from nothing)
    09:00:01  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:00:02  mallory  starts job deploy of run 7 (to production)
    09:10:00  mallory  deletes branch tmp of acme/app
    09:15     nothing happens   ← FOUND ${subject}
    `,
  );
});

test('a branch that begins where something was merged, or by a name that something was merged from, hides nothing', () => {
  expectTimeline(
    rule,
    `
    08:00:00  ada      opens #7 in acme/app from tmp at h
    08:05:00  bob      merges #7 in acme/app as m
    09:00:00  mallory  pushes m to acme/app tmp (from nothing)
    09:00:05  mallory  pushes evil to acme/app tmp (${ci})
    09:00:10  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:01:00  mallory  deletes branch tmp of acme/app
    09:05     nothing happens   ← FOUND ${subject} [high]
    `,
  );
});

const scratch = `
    08:00  mallory  pushes s1 to acme/app scratch (from nothing)
    09:00  mallory  pushes evil to acme/app tmp (from nothing; ${ci})
    09:01  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:02  mallory  opens #7 in acme/app from tmp at evil (into scratch)
    09:03  mallory  merges #7 in acme/app as m1
    09:04  mallory  deletes branch tmp of acme/app`;

test('merged into a branch that goes too, it stands in no history; found once that one is gone', () => {
  expectTimeline(
    rule,
    `${scratch}
    day 2  09:00  mallory  deletes branch scratch of acme/app
    day 2  09:05  nothing happens   ← FOUND ${subject} [medium]`,
    // Found before the change was heard of, it is high, and stays so.
    { anyOrder: false },
  );
});

test('merged into a branch that is there, or that was merged on before it went, it is in order', () => {
  expectTimeline(rule, scratch);
  expectTimeline(
    rule,
    `${scratch}
    day 2  08:00  mallory  opens #8 in acme/app from scratch at m1
    day 2  08:30  ada      merges #8 in acme/app as m2
    day 2  08:31  mallory  deletes branch scratch of acme/app`,
  );
});

test('medium where a change was opened of it, low for an app', () => {
  expectTimeline(
    rule,
    `
    09:00:00  mallory  pushes evil to acme/app tmp (from nothing; ${ci})
    09:00:10  mallory  opens #7 in acme/app from tmp at evil
    09:00:20  mallory  starts run 7 of x in acme/app at evil (on tmp)
    09:05:00  mallory  deletes branch tmp of acme/app
    09:06:00  nothing happens   ← FOUND ${subject} [medium]
    10:00:00  renovate[bot]  pushes r1 to acme/app renovate/actions (from nothing; ${ci})
    10:00:20  renovate[bot]  starts run 8 of x in acme/app at r1 (on renovate/actions)
    10:05:00  renovate[bot]  deletes branch renovate/actions of acme/app
    11:00     nothing happens   ← FOUND acme/app@refs/heads/renovate/actions [low]
    `,
    { anyOrder: false },
  );
});

test('branches that were merged, that lived longer, of a queue, and tries without anything are work', () => {
  expectTimeline(
    rule,
    `
    08:00     ada  pushes day1 to acme/app main
    09:00:00  ada  pushes h to acme/app fix (from nothing; ${ci})
    09:00:05  ada  opens #7 in acme/app from fix at h
    09:00:10  ada  starts run 7 of ci in acme/app at h (on fix)
    09:04:00  bob  merges #7 in acme/app as m
    09:04:01  ada  deletes branch fix of acme/app
    10:00:00  ada  pushes t1 to acme/app try (from nothing)
    10:00:10  ada  starts run 8 of ci in acme/app at t1 (on try)
    10:03:00  ada  deletes branch try of acme/app
    11:00:00  ada  pushes l1 to acme/app long (from nothing; ${ci})
    11:00:10  ada  starts run 9 of ci in acme/app at l1 (on long)
    11:30:00  ada  deletes branch long of acme/app
    12:00:00  ada  opens #9 in acme/app from y at y1
    12:01:00  ada  queues #9 in acme/app as g1
    12:01:00  github-merge-queue[bot]  pushes g1 to acme/app gh-readonly-queue/main/pr-9 (from nothing; ${ci})
    12:01:05  ada  starts run 10 of ci in acme/app at g1 (trigger merge_group; on gh-readonly-queue/main/pr-9)
    12:05:00  github-merge-queue[bot]  deletes branch gh-readonly-queue/main/pr-9 of acme/app
    13:00     nothing happens
    `,
  );
});
