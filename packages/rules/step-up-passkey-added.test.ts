import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './step-up-passkey-added.ts';

test('another passkey of an account informs; its first does not', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  has a passkey confirmed by grace
    09:05  bob  has a passkey confirmed by grace
    10:00  ada  has a passkey confirmed by bob (another)     ← FOUND passkeys:ada [low/high]
    `,
  );
  expect(findings[0]).toMatchObject({ title: 'ada has another passkey, which bob confirmed' });
});
