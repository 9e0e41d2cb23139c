import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './repository-exposed.ts';

test('a private repository is made public', () => {
  const { findings } = expectTimeline(rule, '09:00  mallory  makes acme/app public  ← FOUND acme/app [high]');
  expect(findings[0]!.response).toMatchObject([
    { action: 'close-exposure', exposure: 'public-repository', repository: 'acme/app', instance: 'github.com' },
  ]);
});

test.each([
  ['acme/Shai-Hulud', 'whatever'],
  ['acme/s1ngularity-repository-0', ''],
  ['acme/x9k2', 'Sha1-Hulud: The Second Coming.'],
  ['acme/app-migration', 'Shai-Hulud Migration'],
])('a worm publishes what it stole: %s, %s', (repository, description) => {
  const described = description === '' ? '' : ` (described ${description})`;
  expectTimeline(
    rule,
    `09:00  ada  creates public repository ${repository}${described}  ← FOUND ${repository} [critical]`,
  );
});

test('public repositories of everyday, also about a worm, are silent', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  creates public repository acme/website (described Our website)
    09:01  ada  creates public repository acme/shai-hulud-detector (described Finds traces of Shai-Hulud in your repositories)
    09:02  ada  renames repository acme/website to acme/site
    09:03  ada  makes trunk the default of acme/app
    `,
  );
});

test('descriptions of your own', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  creates public repository acme/x1 (described your keys are out 2027)  ← FOUND acme/x1 [critical]
    `,
    { settings: { 'repository-exposed': { descriptions: ['keys are out'] } } },
  );
});
