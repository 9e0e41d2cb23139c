import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './standing-privilege-unused.ts';

test('what nobody has used for 90 days by the time of a look is found, and taken back once it is used', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees deploy-key/74/12 stand (in acme/app; unused since 2025-12-01)    ← FOUND deploy-key/74/12 [medium]
    09:00         broker  sees deploy-key/74/13 stand (in acme/app; unused since 2026-03-01)
    09:00         broker  sees app/7 stand
    day 2  09:00  broker  sees deploy-key/74/12 stand (in acme/app; unused since 2026-03-11)    ← RETRACTED deploy-key/74/12
    `,
  );
});

test('taken back once it is gone, and found again where it stands unused anew', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees fine-grained-token/25 stand (unused since 2025-12-11)            ← FOUND fine-grained-token/25 [medium]
    day 3  09:00  broker  sees fine-grained-token/25 stand (gone)                               ← RETRACTED fine-grained-token/25
    `,
  );
});

test('the day before it is 90 days is none, and the day of it is one', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees deploy-key/74/12 stand (unused since 2025-12-12)
    day 2  09:00  broker  sees deploy-key/74/12 stand (unused since 2025-12-12)                 ← FOUND deploy-key/74/12 [medium]
    `,
  );
});

test('a role and an access key of AWS whose last use is known; people and apps of whose use nobody tells are never idle', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees aws-role/arn:aws:iam::111122223333:role/deploy stand (unused since 2025-06-01)    ← FOUND aws-role/arn:aws:iam::111122223333:role/deploy [medium]
    09:00         broker  sees aws-access-key/arn:aws:iam::111122223333:user/ci/1 stand (unused since 2026-03-01)
    09:00         broker  sees member/2 stand
    09:00         broker  sees team/4 stand
    day 2  09:00  broker  sees aws-role/arn:aws:iam::111122223333:role/deploy stand (unused since 2026-03-11)    ← RETRACTED aws-role/arn:aws:iam::111122223333:role/deploy
    `,
  );
});
