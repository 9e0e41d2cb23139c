import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './checks-skipped.ts';

const push = (message: string, visibility: 'public' | 'private') =>
  at(1000, 'dev.cdeventsx.tripline-ref.pushed', {
    ...{ 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': 'main', 'vcs.ref.head.revision': 'a'.repeat(40) },
    ...{ 'vcs.ref.head.type': 'branch', 'tripline.repository.visibility': visibility, 'user.name': 'mallory' },
    'tripline.push.commits': [
      { revision: 'a'.repeat(40), author: 'mallory', committer: 'mallory', message, ciPaths: [], pathCount: 1 },
    ],
  });
const found = (message: string, visibility: 'public' | 'private' = 'public') =>
  playTimeline({ rules: [rule], events: [push(message, visibility)], untilMs: 2000 }).findings;

test('finds each word that has no workflow set off, in a public repository alone', () => {
  for (const word of [
    '[skip ci]',
    '[ci skip]',
    '[no ci]',
    '[skip actions]',
    '[actions skip]',
    'x\n\nskip-checks: true',
  ])
    expect(found(`fix ${word}`)[0], word).toMatchObject({ severity: 'low', subject: 'acme/app@main' });
  expect(found('fix [skip ci]', 'private')).toEqual([]);
  expect(found('skip ci, please')).toEqual([]);
  expect(rule.offByDefault).toBeDefined();
});

test('ordinary pushes find nothing', () => {
  expectTimeline(rule, '09:00  ada  pushes c1 to acme/app main');
});
