import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './runner-crosses-environments.ts';

const inventory = at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
  ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1, 'tripline.inventory.heads': [] },
});

test('one runner for production and staging, once', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of cd in acme/app at c1
    09:01  ada  starts job stage of run 7 (on box-1; to staging)
    09:02  ada  starts job deploy of run 7 (on box-1; to production)   ← FOUND runner:box-1 [medium/high]
    09:03  ada  starts run 8 of cd in acme/app at c2
    09:04  ada  starts job deploy of run 8 (on box-1; to production)
    `,
  );
  expect(findings[0]!.title).toBe('Runner box-1 serves production and staging');
});

test('runners of one tier, environments of none, and the provider’s machines are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of cd in acme/app at c1
    09:01  ada  starts job stage of run 7 (on box-1; to staging)
    09:02  ada  starts job deploy of run 7 (on box-2; to production)
    09:03  ada  starts job pages of run 7 (on box-2; to github-pages)
    09:04  ada  starts job build of run 7 (on box-2)
    09:05  ada  starts job try of run 7 (to staging)
    09:06  ada  starts job live of run 7 (to production)
    `,
  );
});

test('what served both while the workspace was learned is usual; what comes to do so later is not', () => {
  expectTimeline(
    rule,
    `
            09:00  ada  starts run 7 of cd in acme/app at c1
            09:01  ada  starts job stage of run 7 (on box-1; to staging)
            09:02  ada  starts job deploy of run 7 (on box-1; to production)
            09:03  ada  starts job dev of run 7 (on pc-2; to dev)
    day 20  09:00  ada  starts run 8 of cd in acme/app at c2
    day 20  09:01  ada  starts job deploy of run 8 (on box-1; to production)
    day 20  09:02  ada  starts job live of run 8 (on pc-2; to production)   ← FOUND runner:pc-2
    `,
    // An inventory lists machines, and not what they serve.
    { before: [inventory], learningDays: 14, anyOrder: false },
  );
});

test('a fork’s run makes no runner cross', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      starts run 7 of cd in acme/app at c1
    09:01  ada      starts job stage of run 7 (on box-1; to staging)
    09:02  mallory  starts run 8 of ci in acme/app at c2 (trigger pull_request; of fork mallory)
    09:03  mallory  starts job x of run 8 (on box-1; to production)
    `,
  );
});

const pool = Array.from(
  { length: 8 },
  (_, nth) => `
    day ${nth + 1}  09:00  ada  starts run ${nth} of cd in acme/app at c${nth}
    day ${nth + 1}  09:01  ada  starts job stage of run ${nth} (on box-${nth}; to staging)
    day ${nth + 1}  09:02  ada  starts job deploy of run ${nth} (on box-${nth}; to production)`,
).join('');

test('one pool for all tiers is one finding, whatever machines it has, and accepting it settles it for the pool', () => {
  const { findings } = expectTimeline(
    rule,
    pool.replace(/$/m, '').replace('(on box-0; to production)', '(on box-0; to production)  ← FOUND runner:box-0'),
    { anyOrder: false },
  );
  expect(findings).toHaveLength(1);
  const entities = findings[0]!.entities
    .filter(({ kind }) => kind === 'runner')
    .map(({ id }) => ({ kind: 'runner' as const, id }));
  expect(entities.length).toBeLessThanOrEqual(6);
  const act = at(Date.parse('2026-03-11T10:00:00Z'), 'dev.cdeventsx.tripline-act.performed', {
    ...{
      'tripline.act.kind': 'incident-resolved',
      'tripline.act.target': 'INC-1',
      'tripline.act.resolution': 'accepted',
    },
    ...{ 'tripline.act.proof': 'os-user', 'tripline.act.entities': entities },
  });
  const later = eventsOf(pool).filter(({ atMs }) => atMs > act.atMs);
  const played = playTimeline({
    rules: [rule],
    events: [{ ...act, id: 'act' }, ...later],
    untilMs: Date.parse('2026-04-11T10:00:00Z'),
  });
  expect(played.all).toEqual([]);
});

test('another pool that comes to serve both is another finding', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of cd in acme/app at c1
    09:01  ada  starts job stage of run 7 (on box-1; to staging)
    09:02  ada  starts job deploy of run 7 (on box-1; to production)   ← FOUND runner:box-1
    09:03  ada  starts run 8 of cd in acme/app at c2
    09:04  ada  starts job deploy of run 8 (on vault-1; to production; labels vault)
    09:05  mallory  starts run 9 of cd in acme/app at c3
    09:06  mallory  starts job try of run 9 (on vault-1; to staging; labels vault)   ← FOUND runner:vault-1
    `,
  );
});
