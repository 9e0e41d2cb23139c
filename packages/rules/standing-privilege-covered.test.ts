import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
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

test('a person’s standing right beside one that they may ask for; what nobody may ask for is none', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00         broker  sees outside-collaborator/3 stand (in acme/app; beside policy people.fixing)   ← FOUND outside-collaborator/3 [medium]
    09:00         broker  sees outside-collaborator/4 stand (in acme/app)
    09:00         broker  sees organization-role/8136 stand (beside policy people.auditing)              ← FOUND organization-role/8136 [medium]
    day 2  09:00  broker  sees organization-role/8136 stand                                              ← RETRACTED organization-role/8136
    `,
  );
  expect(findings[0]!.summary).toContain('By people.fixing people may ask for it');
});
