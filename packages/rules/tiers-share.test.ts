import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './tiers-share.ts';

test('what production and another tier reach is found, until one tier alone does', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees secret/74/DEPLOY_KEY stand (in acme/app; shared by production, staging)   ← FOUND secret/74/DEPLOY_KEY [medium]
    09:00         broker  sees runner-group/acme/2 stand (shared by dev, production)                     ← FOUND runner-group/acme/2 [medium]
    day 2  09:00  broker  sees secret/74/DEPLOY_KEY stand (in acme/app; shared by production)            ← RETRACTED secret/74/DEPLOY_KEY
    day 2  09:00  broker  sees runner-group/acme/2 stand (gone; shared by dev, production)               ← RETRACTED runner-group/acme/2
    `,
  );
});

test('a role elsewhere that jobs of both open', () => {
  expectTimeline(
    rule,
    `
    09:00         broker  sees aws-role/arn:aws:iam::111122223333:role/deploy stand (shared by production, staging)   ← FOUND aws-role/arn:aws:iam::111122223333:role/deploy [medium]
    09:00         broker  sees vault-role/vault/auth/jwt/ci stand (shared by dev, staging)
    day 2  09:00  broker  sees aws-role/arn:aws:iam::111122223333:role/deploy stand                                   ← RETRACTED aws-role/arn:aws:iam::111122223333:role/deploy
    `,
  );
});

test('what lesser tiers share, and what nobody is known to share, is none', () => {
  expectTimeline(
    rule,
    `
    09:00  broker  sees secret/74/TEST_KEY stand (in acme/app; shared by dev, staging)
    09:00  broker  sees secret/74/OTHER stand (in acme/app)
    `,
  );
});
