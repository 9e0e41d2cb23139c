import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './publish-without-run.ts';

const usual = (what: string, times = 3) =>
  Array.from(
    { length: times },
    (_, at) => `day ${1 + 2 * at}  09:00  ci[bot]  publishes ${what.replace('*', `1.${at}.0`)}`,
  ).join('\n    ');

test('a person publishes a package that runs publish, several versions at once', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${usual('package lib * of acme/app')}
    day 20  03:00  mallory  publishes package lib 1.9.0 of acme/app  ← FOUND lib [high/high]
    day 20  03:01  mallory  publishes package lib 1.9.1 of acme/app
    day 20  03:02  mallory  publishes package lib 1.9.2 of acme/app
    `,
  );
  expect(findings).toHaveLength(1);
  expect(findings[0]!.title).toBe('mallory published package lib (1.9.0) by hand, which runs publish');
});

test('a release is medium; another repository’s publications do not count', () => {
  expectTimeline(
    rule,
    `
    ${usual('release v* of acme/app')}
    day 20  03:00  mallory  publishes release v2.0.0 of acme/app    ← FOUND acme/app [medium]
    day 20  03:01  mallory  publishes release v2.0.0 of acme/other
    `,
  );
});

test('honest work: people who usually publish, the first publications of all, runs that go on', () => {
  expectTimeline(
    rule,
    `
    day 1   09:00  ada      publishes release v1.0.0 of acme/app
    day 3   09:00  ci[bot]  publishes release v1.1.0 of acme/app
    day 5   09:00  ada      publishes release v1.2.0 of acme/app
    day 7   09:00  ci[bot]  publishes release v1.3.0 of acme/app
    day 9   09:00  ci[bot]  publishes release v1.4.0 of acme/app
    day 11  09:00  carol    publishes release v1.5.0 of acme/app
    day 1   10:00  ci[bot]  publishes package lib 1.0.0 of acme/lib
    day 2   10:00  ci[bot]  publishes package lib 1.1.0 of acme/lib
    day 3   10:00  ada      publishes package lib 1.2.0 of acme/lib
    day 4   10:00  ci[bot]  publishes package lib 1.3.0 of acme/lib
    `,
  );
});

test('one release by hand does not make the next one usual; a pipeline with a person’s token is, after two', () => {
  expectTimeline(
    rule,
    `
    ${usual('package lib * of acme/app', 6)}
    day 20  09:00  ada  publishes package lib 2.0.0 of acme/app  ← FOUND lib
    day 30  09:00  ada  publishes package lib 2.1.0 of acme/app  ← FOUND lib
    day 40  09:00  ada  publishes package lib 2.2.0 of acme/app
    day 50  09:00  ada  publishes package lib 2.3.0 of acme/app
    `,
  );
});

test('a package of the same name elsewhere is another one', () => {
  expectTimeline(
    rule,
    `
    ${usual('package lib * of acme/app')}
    day 20  03:00  mallory  publishes package lib 1.9.0 of acme/other
    `,
  );
});
