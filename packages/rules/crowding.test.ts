import { eventsOf } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule as unreviewed } from './build-from-unreviewed-commit.ts';

/** What stands after a timeline, by subject, with its severity. */
const standing = (text: string): string[] =>
  // That a bound was reached is said besides.
  played(text)
    .filter(({ rule }) => rule === unreviewed.id)
    .map(({ rule, severity, title }) => `${rule} ${severity} ${title}`);
const floods = (text: string): string[] =>
  played(text)
    .filter(({ rule }) => rule === 'state-flooded')
    .map(({ subject }) => subject);
function played(text: string) {
  const events = eventsOf(text);
  const before = at(Date.parse('2026-03-11T06:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main'] }],
  });
  const untilMs = Math.max(...events.map(({ atMs }) => atMs)) + 86_400_000;
  const { findings, poison } = playTimeline({ rules: [unreviewed], events: [before, ...events], untilMs });
  expect(poison).toEqual([]);
  return findings;
}
const clock = (minute: number) =>
  `${String(9 + Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
const times = (count: number, line: (nth: number) => string) => Array.from({ length: count }, (_, nth) => line(nth));

describe('many pushes to a change', () => {
  const opened = '09:00 eve opens #7 in acme/app from x at h (of fork eve)';
  const landed = [
    '14:00 carol approves #7 in acme/app',
    '14:01 carol merges #7 in acme/app as m',
    '14:02 carol starts run 7 of ci in acme/app at m',
    '14:03 github cannot ask about m in acme/app',
  ];
  test('hide nobody who pushed to it before', () => {
    const byCarol = '09:01 carol updates #7 in acme/app to backdoor';
    const socks = times(200, (nth) => `${clock(2 + nth)} sock${nth % 5} updates #7 in acme/app to s${nth}`);
    const lines = (pushes: string[]) => standing([opened, ...pushes, ...landed].join('\n'));
    expect(lines([])).toEqual([]);
    expect(lines(socks)).toEqual([]);
    expect(lines([byCarol])).toHaveLength(1);
    expect(lines([byCarol, ...socks])).toHaveLength(1);
  });
  test('are no flood of one who pushes each commit by itself, and one of many together', () => {
    const by = (who: (nth: number) => string) =>
      floods(
        [opened, ...times(130, (nth) => `${clock(2 + nth)} ${who(nth)} updates #7 in acme/app to s${nth}`)].join('\n'),
      );
    expect(by(() => 'eve')).toEqual([]);
    expect(by((nth) => `sock${nth % 5}`)).toEqual(['changes heads many']);
  });
  test('make no approved head unknown', () => {
    const lines = (pushes: string[]) =>
      standing(
        [
          opened,
          '09:01 carol approves #7 in acme/app',
          '09:02 carol merges #7 in acme/app as m',
          ...pushes,
          '14:02 carol starts run 7 of ci in acme/app at m',
          '14:03 github cannot ask about m in acme/app',
        ].join('\n'),
      );
    expect(lines([])).toEqual([]);
    expect(lines(times(130, (nth) => `${clock(3 + nth)} sock${nth % 5} updates #7 in acme/app to s${nth}`))).toEqual(
      [],
    );
  });
});

describe('an approval by whoever brought the head, where it may have been an update by the provider', () => {
  const landed = [
    '14:00 carol approves #7 in acme/app',
    '14:01 carol merges #7 in acme/app as m',
    '14:02 carol starts run 7 of ci in acme/app at m',
  ];
  const inFork = [
    '09:00 eve opens #7 in acme/app from x at h (of fork eve)',
    '09:01 carol updates #7 in acme/app to u',
  ];
  const inside = [
    '08:59 eve pushes h to acme/app x',
    '09:00 eve opens #7 in acme/app from x at h',
    '09:01 carol pushes u to acme/app x (committed by web-flow)',
    '09:01 carol updates #7 in acme/app to u',
  ];
  test.each([
    ['a fork', inFork],
    ['the repository', inside],
  ])('in %s, is not known to be another’s: asked', (_, pushed) => {
    const unasked = [...pushed, ...landed];
    expect(standing([...unasked, '14:03 github cannot ask about m in acme/app'].join('\n'))).toEqual([
      `${unreviewed.id} low Whether all that acme/app builds is reviewed cannot be told`,
    ]);
  });
});

describe('a commit on many refs and in many changes', () => {
  test('hides no landing beneath a reviewed one', () => {
    const lines = (pushes: string[]) =>
      standing(
        [
          '08:00 ada pushes a to acme/app main',
          '08:59 mallory pushes evil to acme/app main',
          ...pushes,
          '20:00 ada pushes f to acme/app feat',
          '20:01 ada opens #7 in acme/app from feat at f',
          '20:02 carol approves #7 in acme/app',
          '20:03 carol merges #7 in acme/app as m',
          '20:04 carol starts run 7 of ci in acme/app at m',
          '20:05 github cannot ask about m in acme/app',
        ].join('\n'),
      );
    expect(lines([])).toHaveLength(1);
    expect(
      lines(times(410, (nth) => `${clock(nth)} mallory pushes evil to acme/app b${nth} (from nothing)`)),
    ).toHaveLength(1);
    expect(lines(times(410, (nth) => `${clock(nth)} mallory pushes evil to acme/app b${nth} (from a)`))).toHaveLength(
      1,
    );
  });
  test('hides no approved change of a fork', () => {
    const lines = (opened: string[]) =>
      standing(
        [
          '09:00 eve opens #7 in acme/app from x at h (of fork eve; association NONE)',
          '09:01 carol approves #7 in acme/app',
          ...opened,
          '14:00 eve starts run 7 of ci in acme/app at h (trigger pull_request_target; of fork eve)',
          '14:01 eve starts job deploy of run 7 (to production)',
        ].join('\n'),
      );
    expect(lines([])).toEqual([]);
    const others = times(
      80,
      (nth) =>
        `${clock(2 + nth)} sock${nth % 16} opens #${100 + nth} in acme/app from x at h (of fork sock${nth % 16}; association NONE)`,
    );
    expect(lines(others)).toEqual([]);
  });
});
