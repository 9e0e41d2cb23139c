import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './step-up-link-changed.ts';

test('another sign-in of an account is found; its first, and passkeys, are not', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  has a sign-in confirmed by grace
    09:05  ada  has a passkey confirmed by grace (another)
    10:00  ada  has a sign-in confirmed by bob (changed)     ← FOUND links:ada [medium/high]
    `,
  );
  expect(findings[0]).toMatchObject({ title: 'ada signs in otherwise than before, which bob confirmed' });
});
