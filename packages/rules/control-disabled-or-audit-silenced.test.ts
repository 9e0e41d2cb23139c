import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './control-disabled-or-audit-silenced.ts';

test('a feed that falls silent by itself is low, and taken back when it tells again', () => {
  expectTimeline(
    rule,
    `
    11:00  tripline  misses feed github since 09:00 as below-usual    ← FOUND feed github [low]
    13:00  tripline  misses feed github since 09:00 as none           ← RETRACTED feed github
    `,
  );
});

test('one that cannot be read, has deliveries missing or was never seen says so, each by itself', () => {
  expectTimeline(
    rule,
    `
    11:00  tripline  misses feed github-audit since 10:00 as not-readable  ← FOUND feed github-audit [medium]
    11:00  tripline  misses feed github since 10:00 as deliveries-missing  ← FOUND feed github [low]
    11:00  tripline  misses feed gitlab since 10:00 as never-seen          ← FOUND feed gitlab [low]
    `,
  );
});

test('a silence after somebody deleted the stream is about them, high, and stays', () => {
  expectTimeline(
    rule,
    `
    08:30  mallory   deletes the audit stream of acme
    11:00  tripline  misses feed github-audit since 09:00 as below-usual    ← FOUND feed github-audit [high]
    13:00  tripline  misses feed github-audit since 09:00 as none
    `,
  );
});

test('a webhook that was deleted is one finding, by webhook and audit log, and makes the silence after it grave', () => {
  expectTimeline(
    rule,
    `
    08:30           mallory   deletes webhook w1 of acme                                ← FOUND acme [medium]
    08:30           mallory   is recorded to delete webhook w1 of acme
    11:00           tripline  misses feed github since 09:00 as below-usual             ← FOUND feed github [high]
    `,
  );
  expectTimeline(
    rule,
    `
    08:30           mallory   is recorded to delete webhook w1 of acme                  ← FOUND acme [medium]
    `,
  );
});

test('what was switched off days before a silence has nothing to do with it', () => {
  expectTimeline(
    rule,
    `
    08:30         mallory   deletes the audit stream of acme
    day 3  11:00  tripline  misses feed github since 09:00 as below-usual    ← FOUND feed github [low]
    `,
  );
});

test('a webhook that is gone, of which neither a webhook nor a record told, is found by the look at it', () => {
  expectTimeline(
    rule,
    `
    11:00  tripline  misses feed github since 10:30 as hook-deleted    ← FOUND feed github [medium]
    15:00  tripline  misses feed github since 10:30 as none            ← RETRACTED feed github
    `,
  );
});

test('and is not told twice where somebody was seen to delete it, whichever came first', () => {
  expectTimeline(
    rule,
    `
    10:20  mallory   deletes webhook w1 of acme                            ← FOUND acme [medium]
    11:00  tripline  misses feed github since 10:30 as hook-deleted
    `,
  );
  expectTimeline(
    rule,
    `
    10:20  mallory   is recorded to delete webhook w1 of acme              ← FOUND acme [medium]
    11:00  tripline  misses feed github since 10:30 as hook-deleted
    `,
  );
});

test('a webhook that was switched off or pointed elsewhere makes the silence that begins with it grave, and no later one', () => {
  for (const action of ['active_changed', 'config_changed', 'events_changed']) {
    expectTimeline(
      rule,
      `
      10:20  mallory   switches webhook w1 of acme (as ${action})
      12:00  tripline  misses feed github since 10:30 as below-usual    ← FOUND feed github [high]
      `,
    );
  }
  expectTimeline(
    rule,
    `
    08:20  ada       switches webhook w1 of acme
    12:00  tripline  misses feed github since 10:30 as below-usual    ← FOUND feed github [low]
    12:30  tripline  misses feed github since 10:30 as none           ← RETRACTED feed github
    `,
  );
});
