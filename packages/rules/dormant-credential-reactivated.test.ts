import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './dormant-credential-reactivated.ts';

test('used again after seventy days; from elsewhere it is medium', () => {
  const { findings } = expectTimeline(
    rule,
    `
    day 1 09:00   ada  uses token h1 in acme/app (from 192.0.2.4)
    day 5 09:00   ada  uses token h1 in acme/app (from 192.0.2.4)
    day 75 09:00  ada  uses token h1 in acme/app (from 192.0.2.9)           ← FOUND h1 [low/high]
    day 1 09:00   bob  uses token h2 in acme/app (from 192.0.2.4)
    day 71 09:00  bob  clones acme/app with token h3
    day 72 09:00  bob  uses token h2 in acme/app (from 203.0.113.7)         ← FOUND h2 [medium/high]
    day 72 10:00  bob  uses token h2 in acme/app (from 203.0.113.7)
    `,
  );
  expect(findings.find(({ subject }) => subject === 'h1')!.title).toBe('A token of ada was used again after 70 days');
});

test('a use in between that comes late takes it back', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  uses token h1 in acme/app
    day 64 09:00  ada  uses token h1 in acme/app (heard day 65 12:00)    ← RETRACTED h1; FOUND h1
    day 65 09:00  ada  uses token h1 in acme/app                         ← FOUND h1
    `,
    { anyOrder: false },
  );
  expectTimeline(
    rule,
    `
    day 1 09:00   ada  uses token h1 in acme/app
    day 50 09:00  ada  uses token h1 in acme/app
    day 95 09:00  ada  uses token h1 in acme/app
    `,
  );
});

test('a job of each quarter is told once', () => {
  expectTimeline(
    rule,
    `
    day 1 09:00    ci  uses token h1 in acme/app
    day 92 09:00   ci  uses token h1 in acme/app    ← FOUND h1
    day 184 09:00  ci  uses token h1 in acme/app
    day 276 09:00  ci  uses token h1 in acme/app
    `,
  );
});

test('what is found stands whatever is done with the token next', () => {
  const noise = Array.from(
    { length: 20 },
    (_, nth) => `day ${100 + nth} 10:00  mallory  uses token h1 in acme/app (from 20.${nth}.1.4)`,
  );
  expectTimeline(
    rule,
    [
      'day 1 09:00   ada      uses token h1 in acme/app',
      'day 99 09:00  mallory  uses token h1 in acme/app    ← FOUND h1',
      ...noise,
    ].join('\n'),
    { anyOrder: false },
  );
});
