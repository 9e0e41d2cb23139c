import { eventsOf } from '@tripline/testing/timeline/in-words';
import { playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rules } from './registry.ts';

/** What all rules of the house find of a timeline, each by its rule and subject; a day passes after it. */
function foundIn(text: string, settings: Record<string, Record<string, unknown>> = {}): string[] {
  const events = eventsOf(text);
  const untilMs = Math.max(...events.map(({ atMs }) => atMs)) + 86_400_000;
  const { all, poison } = playTimeline({ rules, events, settings, untilMs });
  expect(poison).toEqual([]);
  return [...new Set(all.map(({ rule, subject }) => `${rule} ${subject}`))];
}
const times = <Line>(count: number, line: (nth: number) => Line): Line[] =>
  Array.from({ length: count }, (_, nth) => line(nth));

/** Bounds are for floods. What a house does all year reaches them too, and is none. */
describe('no rule says anything of', () => {
  test('a branch to which one account pushes every day', () => {
    expect(foundIn(times(40, (nth) => `day ${nth + 1} 09:00 ada pushes c${nth} to acme/app main`).join('\n'))).toEqual(
      [],
    );
  });

  test('a branch to which everybody merges all day', () => {
    const pushes = times(60, (nth) => `1${nth % 10}:${(nth % 6) + 1}0 dev-${nth % 5} pushes c${nth} to acme/app main`);
    expect(foundIn(pushes.join('\n').replaceAll(':60 ', ':00 '))).toEqual([]);
  });

  test('a tag that floats, with each release of a month', () => {
    const text = times(30, (nth) => `day ${nth + 1} 09:00 release-bot moves tag v1 of acme/app to c${nth}`).join('\n');
    expect(foundIn(text, { 'release-tag-moved': { floating: ['v1'] } })).toEqual([]);
  });

  test('a release of a repository of many packages, a tag each', () => {
    const tags = times(5, (nth) =>
      times(
        60,
        (of) =>
          `day ${nth + 1} 09:${String(of).padStart(2, '0')} release-bot tags c${nth} of acme/app as p${of}@1.${nth}.0`,
      ),
    );
    expect(foundIn(tags.flat().join('\n'))).toEqual([]);
  });

  test('a branch that is merged into another again and again', () => {
    const merges = times(12, (nth) => [
      `day ${nth + 1} 09:00 ada opens #${nth + 1} in acme/app from develop at c${nth}`,
      `day ${nth + 1} 09:05 bob approves #${nth + 1} in acme/app`,
      `day ${nth + 1} 09:10 bob merges #${nth + 1} in acme/app as m${nth}`,
    ]);
    expect(foundIn(merges.flat().join('\n'))).toEqual([]);
  });

  test('a workflow that runs each hour of what was reviewed', () => {
    const runs = times(150, (nth) => {
      const [day, hour] = [2 + Math.floor(nth / 20), String(1 + (nth % 20)).padStart(2, '0')];
      return `day ${day} ${hour}:11 ada starts run ${nth + 1} of ci in acme/app at m (trigger schedule)`;
    });
    const reviewed = `
      08:00 bob pushes f to acme/app feat
      08:01 bob opens #1 in acme/app from feat at f
      08:05 eve approves #1 in acme/app
      08:10 ada merges #1 in acme/app as m`;
    expect(foundIn([reviewed, ...runs].join('\n'))).toEqual([]);
  });

  test('a matrix of jobs', () => {
    const jobs = times(100, (nth) => `09:${String(1 + (nth % 50)).padStart(2, '0')} ada starts job j${nth} of run 7`);
    const text = ['09:00 ada starts run 7 of ci in acme/app at c1 (trigger pull_request; on feature)', ...jobs].join(
      '\n',
    );
    expect(foundIn(text)).toEqual([]);
  });

  test('a job without environment, whose run is told of an hour later', () => {
    const text = (job: string) => `
      10:00 ada starts run 7 of ci in acme/app at c1 (trigger pull_request; on try)
      09:00 ada starts job build of run 7${job}`;
    expect(foundIn(text(''))).toEqual([]);
    expect(foundIn(text(' (to production)'))).not.toEqual([]);
  });
});

test('ordinary work before it makes no finding less sure', () => {
  const before = times(20, (nth) => `08:${10 + nth} bob pushes d${nth} to acme/app main`);
  const text = [
    ...before,
    '09:00 bob pushes evil to acme/app main',
    '09:01 bob starts run 7 of ci in acme/app at evil',
  ].join('\n');
  const played = playTimeline({ rules, events: eventsOf(text), untilMs: Date.parse('2026-03-12T00:00:00Z') });
  expect(played.findings.map(({ rule, confidence }) => [rule, confidence])).toEqual([
    ['build-from-unreviewed-commit', 'high'],
  ]);
});
