import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './release-tag-moved.ts';

test('a tag that is forced to another commit, and what was to be done', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00         ada      tags c1 of acme/app as v1.2.3
    day 3  10:00  mallory  moves tag v1.2.3 of acme/app to c2    ← FOUND acme/app@v1.2.3 [high/high]
    `,
  );
  expect(findings[0]!.title).toBe('mallory moved tag v1.2.3 of acme/app to another commit');
  expect(findings[0]!.response).toMatchObject([
    {
      action: 'restore-ref',
      repository: 'acme/app',
      refType: 'tag',
      ref: 'v1.2.3',
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
    },
  ]);
  expect(findings[0]!.response[0]).not.toHaveProperty('ifOnDefaultBranch');
});

test('deleted and made again elsewhere, also weeks later, and within one second', () => {
  expectTimeline(
    rule,
    `
    09:00           ada      tags c1 of acme/app as v1.2.3
    09:05           mallory  deletes tag v1.2.3 of acme/app
    day 40  10:00   mallory  tags c2 of acme/app as v1.2.3    ← FOUND acme/app@v1.2.3
    `,
  );
  expectTimeline(
    rule,
    `
    09:00:07  mallory  deletes tag v1.2.3 of acme/app (from c1)
    09:00:07  mallory  tags c2 of acme/app as v1.2.3          ← FOUND acme/app@v1.2.3
    `,
  );
});

test('a push says by itself where the tag stood, though nobody heard of it before', () => {
  expectTimeline(rule, '09:00  mallory  moves tag v1.0.0 of acme/app to c2 (from c1)   ← FOUND acme/app@v1.0.0');
});

test('two tags within the hour are critical, whichever is received first, and all are locked once they are put back', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  moves tag v1.0.0 of acme/app to c9 (from c1)     ← FOUND acme/app@v1.0.0
    09:20  mallory  moves tag v1 of acme/app to c9 (from c2)         ← FOUND acme/app@v1 [critical]
    11:00  mallory  moves tag v2.0.0 of acme/app to c9 (from c3)     ← FOUND acme/app@v2.0.0 [high]
    12:30  ada      moves tag v1.0.0 of acme/lib to c9 (from c4)     ← FOUND acme/lib@v1.0.0 [high]
    `,
  );
  const steps = findings.map(({ subject, response }) => [subject, ...response.map(({ action }) => action)]);
  expect(steps).toContainEqual(['acme/app@v1', 'restore-ref', 'lock-tags']);
  expect(steps).toContainEqual(['acme/lib@v1.0.0', 'restore-ref']);
  expect(findings.find(({ subject }) => subject === 'acme/app@v1')!.response[1]).not.toHaveProperty('tag');
});

test('to put it back is the mending, to move it once more is not', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      tags c1 of acme/app as v1.2.3
    10:00  mallory  moves tag v1.2.3 of acme/app to c2    ← FOUND acme/app@v1.2.3
    11:00  mallory  moves tag v1.2.3 of acme/app to c3    ← FOUND acme/app@v1.2.3
    12:00  ada      moves tag v1.2.3 of acme/app to c1
    `,
  );
  expectTimeline(
    rule,
    `
    09:00          ada      moves tag v1.2.3 of acme/app to c2 (from c1)   ← FOUND acme/app@v1.2.3
    day 20  09:00  mallory  moves tag v1.2.3 of acme/app to c1             ← FOUND acme/app@v1.2.3
    `,
  );
});

test('tags that are deleted and made again are moved together too, and major versions come to no one commit', () => {
  expectTimeline(
    rule,
    `
    08:00  ada      tags c1 of acme/app as v1.0.0
    08:01  ada      tags c2 of acme/app as v1.1.0
    09:00  mallory  deletes tag v1.0.0 of acme/app
    09:01  mallory  deletes tag v1.1.0 of acme/app
    09:02  mallory  tags evil of acme/app as v1.0.0      ← FOUND acme/app@v1.0.0 [critical]
    09:03  mallory  tags evil of acme/app as v1.1.0      ← FOUND acme/app@v1.1.0 [critical]
    `,
  );
  expectTimeline(
    rule,
    `
    08:00  ada      moves tag v1 of acme/action to c3 (from c1)      ← FOUND acme/action@v1 [medium]
    08:00  ada      moves tag v1.2 of acme/action to c3 (from c2)    ← FOUND acme/action@v1.2 [medium]
    09:30  mallory  moves tag v2 of acme/action to evil (from c4)    ← FOUND acme/action@v2 [critical]
    09:31  mallory  moves tag v3 of acme/action to evil (from c5)    ← FOUND acme/action@v3 [critical]
    `,
  );
});

test('a branch that takes the place of a tag, and no branch beside it', () => {
  expectTimeline(
    rule,
    `
    08:00  ada      tags c1 of acme/app as v1.0.0
    08:30  ada      tags c1 of acme/app as v2
    08:31  ada      pushes c2 to acme/app v2
    09:00  mallory  deletes tag v1.0.0 of acme/app
    09:01  mallory  pushes evil to acme/app v1.0.0      ← FOUND acme/app@v1.0.0 [high]
    `,
  );
});

test('whoever puts back what nobody told of did not move it, and nothing is put back to it', () => {
  const { findings } = expectTimeline(
    rule,
    `
    08:00  ada  tags c1 of acme/app as v1.0.0
    09:00  ada  moves tag v1.0.0 of acme/app to c1 (from evil)      ← FOUND acme/app@v1.0.0 [high]
    `,
  );
  expect(findings[0]!.title).toBe('Tag v1.0.0 of acme/app was moved, unreported, until ada put it back');
  expect(findings[0]!.response).toEqual([]);
});

test('where nobody heard it put, it is put back only to what is on the default branch: an unreported move may have put it there', () => {
  for (const text of [
    '09:00  ada  moves tag v1.0.0 of acme/app to c1 (from evil)      ← FOUND acme/app@v1.0.0 [high]',
    `
    09:00  ada  deletes tag v1.0.0 of acme/app (from evil)
    09:01  ada  tags c1 of acme/app as v1.0.0                       ← FOUND acme/app@v1.0.0 [high]
    `,
  ]) {
    expect(expectTimeline(rule, text).findings[0]!.response).toMatchObject([{ ifOnDefaultBranch: true }]);
  }
});

test('releases, tags made again where they stood, and tags that float are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  tags c1 of acme/app as v1.0.0
    09:10  ada  tags c2 of acme/app as v1.1.0
    09:20  ada  deletes tag v1.1.0 of acme/app
    09:21  ada  tags c2 of acme/app as v1.1.0 (annotated as t1)
    09:22  ada  moves tag v1.1.0 of acme/app to c2 (annotated as t2)
    `,
  );
  const text = '09:00  ada  moves tag v4 of acme/action to c2 (from c1)';
  expectTimeline(rule, `${text}   ← FOUND acme/action@v4 [medium]`);
  for (const floating of [['v[0-9]'], ['acme/action@v*']]) {
    expectTimeline(rule, text, { settings: { 'release-tag-moved': { floating } } });
  }
  expectTimeline(rule, `${text}   ← FOUND acme/action@v4`, {
    settings: { 'release-tag-moved': { floating: ['acme/app@v4'] } },
  });
  expectTimeline(rule, '09:00  ada  moves tag pkg@latest of acme/app to c2 (from c1)', {
    settings: { 'release-tag-moved': { floating: ['*@latest'] } },
  });
});

test('noise of others on the same tag takes nothing back that stands', () => {
  const noise = Array.from({ length: 30 }, (_, nth) => {
    return `day 2  10:${String(nth).padStart(2, '0')}  eve  moves tag v1.0.0 of acme/app to n${nth}`;
  });
  const text = ['09:00  mallory  moves tag v1.0.0 of acme/app to c2 (from c1)', ...noise].join('\n');
  const played = playTimeline({ rules: [rule], events: eventsOf(text), untilMs: Date.parse('2026-03-14T00:00:00Z') });
  expect(played.retracted).toEqual([]);
  expect(played.findings.filter(({ rule: by }) => by === rule.id)).toHaveLength(31);
});

describe('a floating tag that goes on along the default branch', () => {
  const inventory = at(Date.parse('2026-03-11T06:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main'] }],
  });
  const options = { before: [inventory] };
  const landed = `
    08:00  carol  pushes c1 to acme/app main
    08:01  ada    tags c1 of acme/app as v1
    09:00  carol  pushes c2 to acme/app main`;

  test('to what somebody else landed, is a release', () => {
    expectTimeline(rule, `${landed}\n10:00  ada  moves tag v1 of acme/app to c2`, options);
  });

  test('to what is reviewed, is one of whoever landed it', () => {
    const own = (review: string, mark = '') => `
      08:00  carol  pushes c1 to acme/app main
      08:01  ada    tags c1 of acme/app as v1
      08:10  ada    pushes h to acme/app x
      08:11  ada    opens #7 in acme/app from x at h
      ${review}
      08:20  ada    merges #7 in acme/app as c2
      09:00  ada    moves tag v1 of acme/app to c2  ${mark}`;
    expectTimeline(rule, own('08:15  carol  approves #7 in acme/app'), options);
    expectTimeline(rule, own('', '← FOUND acme/app@v1 [medium]'), options);
    // Merged by a bot, it is still the author's own.
    const byBot = own('', '← FOUND acme/app@v1 [medium]').replace('ada    merges', 'merge[bot]  merges');
    expectTimeline(rule, byBot, options);
  });

  test('to one’s own, to another branch’s, before it landed, back, or from nothing is found', () => {
    const found = (line: string) => expectTimeline(rule, `${landed}\n${line}  ← FOUND acme/app@v1 [medium]`, options);
    found('10:00  carol  moves tag v1 of acme/app to c2');
    found('09:30  carol  pushes x1 to acme/app x\n10:00  ada  moves tag v1 of acme/app to x1');
    found('10:00  ada  moves tag v1 of acme/app to c3');
    expectTimeline(
      rule,
      `${landed}
      10:00  ada      moves tag v1 of acme/app to c2
      day 30  10:00  mallory  moves tag v1 of acme/app to c1   ← FOUND acme/app@v1 [medium]`,
      options,
    );
  });

  test('is no excuse for a release’s own tag, nor for several at once', () => {
    expectTimeline(
      rule,
      `${landed}
      09:01  ada  tags c1 of acme/app as v1.0.0
      10:00  ada  moves tag v1.0.0 of acme/app to c2   ← FOUND acme/app@v1.0.0 [critical]
      10:01  ada  moves tag v1 of acme/app to c2       ← FOUND acme/app@v1 [critical]`,
      options,
    );
  });
});
