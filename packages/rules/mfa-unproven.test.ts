import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './mfa-unproven.ts';

test('a right given by somebody who never gave a second factor, or not for long, where others do', () => {
  const { findings } = expectTimeline(
    rule,
    `
    day 1 09:00   grace    proves who they are by passkey to acme (mfa yes)
    day 2 09:00   ada      proves who they are by passkey to acme (mfa yes)
    day 40 09:00  mallory  gives bob admin on acme/app
    day 40 09:05  mallory  gives eve admin on acme/app
    day 40 09:10  ada      gives bob admin on acme/lib
    day 40 10:30  nothing happens                                               ← FOUND mallory [low/high]; FOUND ada [low/high]
    `,
  );
  // Of what one does within an hour the first stands for all.
  expect(findings.map(({ evidence }) => evidence.length)).toEqual([2, 2]);
  expect(findings[0]!.response).toEqual([]);
});

test('a factor that was switched off is medium; one that is given again ends it', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   grace  proves who they are by passkey to acme (mfa yes)
    day 3 09:00   ada    proves who they are by totp to acme (mfa yes)
    day 3 09:10   ada    proves who they are by totp to acme (mfa no)
    day 3 09:20   ada    gives bob admin on acme/app
    day 3 10:30   nothing happens                                           ← FOUND ada [medium/high]
    day 4 09:00   ada    proves who they are by totp to acme (mfa yes)
    day 4 09:20   ada    gives eve admin on acme/app
    `,
  );
});

test('who proved it, a reader, an app, one’s own acceptance and the first weeks are work', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   grace  proves who they are by passkey to acme (mfa yes)
    day 9 09:00   eve    gives bob admin on acme/app
    day 39 09:00  ada    proves who they are by passkey to acme (mfa yes)
    day 40 09:00  ada    gives bob admin on acme/app
    day 40 09:01  mallory  gives bob read on acme/app
    day 40 09:02  helper[bot]  gives bob admin on acme/app
    day 40 09:03  bob    joins acme
    `,
  );
});

test('a workspace whose feeds tell of no second factor hears nothing', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   grace  proves who they are by saml to acme
    day 40 09:00  ada    gives bob admin on acme/app
    `,
  );
});

test('a proof that is told late takes it back, and noise does not', () => {
  const noise = Array.from(
    { length: 30 },
    (_, nth) => `day 41 09:${nth + 10}  mallory  gives p${nth} admin on acme/app`,
  );
  expectTimeline(
    rule,
    [
      'day 1 09:00   grace    proves who they are by passkey to acme (mfa yes)',
      'day 40 09:00  mallory  gives bob admin on acme/app',
      'day 40 09:01  ada      gives bob admin on acme/lib',
      'day 40 08:00  ada      proves who they are by passkey to acme (mfa yes; heard day 40 13:00)    ← RETRACTED ada; FOUND ada; FOUND mallory',
      ...noise,
      'day 41 12:00  nothing happens   ← FOUND mallory',
    ].join('\n'),
    { anyOrder: false },
  );
});
