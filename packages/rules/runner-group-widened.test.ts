import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './runner-group-widened.ts';

const subject = 'runner-group:pool@acme';

test('opened to public repositories, to all, to any workflow, each when it comes to be so', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada      changes runner group pool of acme (public no; restricted yes)
    09:01  mallory  changes runner group pool of acme (public yes; restricted yes)   ← FOUND ${subject} [high/high]
    09:02  mallory  changes runner group pool of acme (public yes; restricted no)    ← FOUND ${subject} [medium]
    09:03  mallory  changes runner group pool of acme (visible to all)               ← FOUND ${subject} [medium]
    `,
  );
  expect(findings[0]!.title).toBe('mallory opened runner group pool of acme to public repositories');
});

test('open at the first record that tells of it', () => {
  expectTimeline(rule, `09:00  mallory  changes runner group pool of acme (public yes)   ← FOUND ${subject} [high]`);
});

test('closed, renamed, left as it was, and opened for chosen repositories are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  changes runner group pool of acme (public no; restricted no)
    09:01  ada  changes runner group pool of acme (visible to selected)
    09:02  ada  changes runner group pool of acme (public no; restricted no)
    09:03  ada  changes runner group pool of acme (public no; restricted yes)
    09:04  ada  changes runner group pool of acme (visible to private)
    `,
  );
});

test('opened again after it was closed is another', () => {
  expectTimeline(
    rule,
    `
            09:00  mallory  changes runner group pool of acme (public yes)   ← FOUND ${subject}
            10:00  ada      changes runner group pool of acme (public no)
    day 9   09:00  mallory  changes runner group pool of acme (public yes)   ← FOUND ${subject}
    `,
  );
});
