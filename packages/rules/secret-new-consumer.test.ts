import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './secret-new-consumer.ts';

const evil = 'acme/app/.github/workflows/evil.yml';
const of = (name: string, ref = 'main') => `of workflow acme/app/.github/workflows/${name}.yml@refs/heads/${ref}`;

test('a new workflow takes a settled secret: one finding a day, graver with many', () => {
  const { findings } = expectTimeline(
    rule,
    `
    day 1 09:00   ada      hands DEPLOY_KEY to job release of acme/app (${of('release')})
    day 40 09:00  ada      hands DEPLOY_KEY to job release of acme/app (${of('release')})
    day 41 09:00  mallory  hands DEPLOY_KEY to job dump of acme/app (${of('evil', 'x')}; in run 7)    ← FOUND ${evil} [low/high]
    day 41 09:05  mallory  hands DEPLOY_KEY to job dump of acme/app (${of('evil', 'x')}; in run 8)
    `,
  );
  expect(findings[0]).toMatchObject({ title: `A job of ${evil} was given a secret that it never had`, response: [] });
  expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'run', id: 'acme/app#7' }));
  expect(findings[0]!.evidence).toHaveLength(2);
});

test('many at once are medium, with what stops it', () => {
  const { findings } = expectTimeline(
    rule,
    `
    day 1 09:00   ada      hands A,B,C,D,E to job release of acme/app (${of('release')})
    day 41 09:00  mallory  hands A,B,C,D,E to job dump of acme/app (${of('evil')}; in run 7)    ← FOUND ${evil} [medium/high]
    `,
  );
  expect(findings[0]!.response.map(({ action }) => action)).toEqual(['stop-run', ...Array(5).fill('rotate-secret')]);
});

test('a new secret, one that spreads at first, another repository’s of that name, and the workflow’s own are work', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  hands NPM_TOKEN to job build of acme/app (${of('ci')})
    day 3 09:00   ada  hands NPM_TOKEN to job build of acme/app (${of('release')})
    day 40 09:00  bob  hands NEW_KEY to job build of acme/app (${of('site')})
    day 41 09:00  bob  hands NEW_KEY to job build of acme/app (${of('other')})
    day 42 09:00  ada  hands NPM_TOKEN to job build of acme/lib (of workflow acme/lib/.github/workflows/ci.yml@refs/heads/main)
    day 60 09:00  ada  hands NPM_TOKEN to job build of acme/app (${of('release', 'next')})
    `,
  );
});

test('an earlier use by the same workflow, received late, takes it back', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  hands A to job build of acme/app (${of('ci')})
    day 41 09:00  ada  hands A to job build of acme/app (${of('evil')})                     ← FOUND ${evil}
    day 41 10:00  ada  hands A to job build of acme/app (${of('ci')})
    `,
  );
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  hands A to job build of acme/app (${of('ci')}; heard day 3 08:00)
    day 2 09:00   ada  hands A to job build of acme/app (${of('evil')})
    day 33 09:00  ada  hands A to job build of acme/app (${of('late')})                     ← FOUND acme/app/.github/workflows/late.yml
    `,
  );
});

test('whoever runs jobs with other names pushes nothing out', () => {
  const noise = Array.from(
    { length: 12 },
    (_, nth) => `day 41 10:${nth + 10}  mallory  hands Z${nth} to job n of acme/app (${of(`n${nth}`)})`,
  );
  expectTimeline(
    rule,
    [
      `day 1 09:00   ada      hands A to job build of acme/app (${of('ci')})`,
      `day 41 09:00  mallory  hands A to job dump of acme/app (${of('evil')})   ← FOUND ${evil}`,
      ...noise,
    ].join('\n'),
    { anyOrder: false },
  );
});
