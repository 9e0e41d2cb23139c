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

test('what lesser tiers share, and what nobody is known to share, is none', () => {
  expectTimeline(
    rule,
    `
    09:00  broker  sees secret/74/TEST_KEY stand (in acme/app; shared by dev, staging)
    09:00  broker  sees secret/74/OTHER stand (in acme/app)
    `,
  );
});
