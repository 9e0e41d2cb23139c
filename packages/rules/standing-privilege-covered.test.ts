import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './standing-privilege-covered.ts';

test('a key beside a policy that gives the same is found, until it is gone', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees deploy-key/74/12 stand (in acme/app)
    day 2  09:00  broker  sees deploy-key/74/12 stand (in acme/app; beside policy deploy)   ← FOUND deploy-key/74/12 [medium]
    day 3  09:00  broker  sees deploy-key/74/12 stand (in acme/app; gone)                   ← RETRACTED deploy-key/74/12
    `,
  );
});

test('taken back where no policy gives the same any more', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees deploy-key/74/12 stand (in acme/app; beside policy deploy)   ← FOUND deploy-key/74/12 [medium]
    day 2  09:00  broker  sees deploy-key/74/12 stand (in acme/app)                         ← RETRACTED deploy-key/74/12
    `,
  );
});
