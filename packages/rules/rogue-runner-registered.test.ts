import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './rogue-runner-registered.ts';

test('somebody who never registered one, once a month', () => {
  const { findings } = expectTimeline(
    rule,
    `
            09:00  mallory  registers runner box-9 in acme     ← FOUND user:mallory [medium/high]
            09:05  mallory  registers runner box-10 in acme
    day 2   09:00  mallory  registers runner box-11 in acme
    day 40  09:00  mallory  registers runner box-12 in acme    ← FOUND user:mallory [medium]
    `,
  );
  expect(findings[0]!.title).toBe('mallory registered runner box-9, box-10, box-11 in acme, and never did so before');
  expect(findings[0]!.response).toMatchObject([
    { action: 'isolate-runner', organization: 'acme', runnerName: 'box-9' },
    { action: 'isolate-runner', runnerName: 'box-10' },
    { action: 'isolate-runner', runnerName: 'box-11' },
  ]);
});

test('high for a public repository, low for a controller of a pool', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      makes acme/app public
    09:01  mallory  registers runner box-9 in acme/app   ← FOUND user:mallory [high]
    09:02  arc[bot]  registers runner arc-1 in acme (for one job)   ← FOUND user:arc[bot] [low]
    09:03  arc[bot]  registers runner arc-2 in acme (for one job)
    `,
  );
});

test('who registered while the workspace was learned, and who was accepted, are at work', () => {
  expectTimeline(
    rule,
    `
            09:00  ada  registers runner box-1 in acme
    day 20  09:00  ada  registers runner box-2 in acme
    day 20  09:01  ada  registers runner box-3 in acme
    `,
    { learningDays: 14, anyOrder: false },
  );
  // An inventory lists machines, and not which controllers make them all day.
  const inventory = at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1, 'tripline.inventory.heads': [] },
  });
  const { findings } = expectTimeline(
    rule,
    `
            09:00  arc[bot]  registers runner arc-1 in acme (for one job)
            09:01  ada       registers runner box-1 in acme    ← FOUND user:ada [medium]
    day 20  09:00  arc[bot]  registers runner arc-2 in acme (for one job)
    `,
    { before: [inventory], learningDays: 14, anyOrder: false },
  );
  expect(findings).toHaveLength(1);
  expectTimeline(
    rule,
    `
            09:00  ben    registers runner box-1 in acme    ← FOUND user:ben [medium]
            09:30  grace  accepts runner box-1
    day 40  09:00  ben    registers runner box-2 in acme
    `,
    { anyOrder: false },
  );
});

test('a worm’s name, by its registration or by its first job alone', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:01  mallory  starts run 7 of x in acme/app at c1
    09:02  mallory  starts job x of run 7 (on SHA1HULUD)   ← FOUND runner:SHA1HULUD [critical]
    `,
  );
  expect(findings[0]!.response).toMatchObject([
    { action: 'stop-run', repository: 'acme/app', runId: '7' },
    { action: 'isolate-runner', organization: 'acme', runnerName: 'SHA1HULUD' },
  ]);
  expectTimeline(
    rule,
    `
    09:00  mallory  registers runner Rogue-1 in acme   ← FOUND runner:Rogue-1 [critical]; FOUND user:mallory [medium]
    `,
    { settings: { [rule.id]: { knownBadNames: ['rogue-1'] } } },
  );
});

test('many runners of others push nobody out', () => {
  const many = Array.from(
    { length: 60 },
    (_, nth) => `10:${String(nth).padStart(2, '0')} mallory registers runner m-${nth} in acme`,
  );
  expectTimeline(
    rule,
    `09:00  mallory  registers runner box-9 in acme   ← FOUND user:mallory [medium]\n${many.join('\n')}`,
    {
      anyOrder: false,
    },
  );
});
