import { createHash } from 'node:crypto';
import { expectTimeline, type TimelineOptions } from '@tripline/testing/timeline/in-words';
import { at } from '@tripline/testing/timeline/play';
import { describe, test } from 'vitest';
import { rule } from './build-from-unreviewed-commit.ts';

const shaOf = (name: string) => createHash('sha1').update(`commit ${name}`).digest('hex');
const repository = 'acme/app';
/** What an API import found before the day begins. */
const inventory = (more: object = {}) =>
  at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.heads': [{ repository, branch: 'main', revision: shaOf('day1') }],
    'tripline.inventory.protected': [{ repository, patterns: ['main', 'release/*'] }],
    ...more,
  });
const expectWords = (text: string, settings: Record<string, unknown> = {}, more: Partial<TimelineOptions> = {}) =>
  expectTimeline(rule, text, { before: [inventory()], settings: { [rule.id]: settings }, ...more });

describe('a push straight to a protected branch', () => {
  test('is found when it is built', () => {
    expectWords(`
      09:00     mallory pushes evil to acme/app main (from day1)
      09:00:05  mallory starts run 7 of ci in acme/app at evil                     ← FOUND acme/app@evil [high/high]
    `);
  });
  test('waits for a merge that may be on its way', () => {
    expectWords(`
      09:00     ada     opens #1 in acme/app from feat at c1
      10:00     mallory pushes evil to acme/app main (from day1)
      10:00:05  mallory starts run 7 of ci in acme/app at evil
      10:00:34  nothing happens
      10:00:36  nothing happens                                                     ← FOUND acme/app@evil [high/high]
    `);
  });
});

describe('merge styles', () => {
  const opened = `
      09:00     ada     pushes h to acme/app feat (from nothing)
      09:00:02  ada     opens #12 in acme/app from feat at h
      09:00:20  carol   approves #12 in acme/app
      09:00:30  ada     pushes day1 to acme/app main (from day0)
  `;
  test('squash is quiet', () => {
    expectWords(`${opened}
      09:01     carol merges #12 in acme/app as m
      09:01:05  carol starts run 7 of ci in acme/app at m
    `);
  });
  test('E1: a merge commit made by hand on top of the reviewed head', () => {
    expectWords(`${opened}
      09:01     mallory merges #12 in acme/app as e (by hand; of h, e)
      09:01:05  mallory starts run 7 of ci in acme/app at e
      09:01:40  nothing happens                                                    ← FOUND acme/app@e [high/high]
    `);
  });
});
