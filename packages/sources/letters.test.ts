import { expect, test } from 'vitest';
import { createLetters } from './letters.ts';
import type { Ignored } from './source.ts';

const minuteMs = 60_000;
const bad: Ignored = { ignored: 'unexpected-shape', organization: 'acme', unread: { content: { token: 'secret' } } };
const origin = (atMs = 0, more: object = {}) => ({
  ...{ feed: 'github-audit', workspace: 'acme', place: 'record 2 of 7', bodySha256: 'ab', atMs, ...more },
});

test('says what it is, why it was left out, and where it came from', () => {
  const { record } = createLetters().write(bad, origin())!;
  expect(record).toMatchObject({
    ...{ topic: 'tripline.dead-letters', key: 'acme' },
    headers: {
      tripline_reason: 'unexpected-shape: it has not the form that such a body has',
      ...{ tripline_feed: 'github-audit', tripline_workspace: 'acme', tripline_organization: 'acme' },
      ...{ tripline_place: 'record 2 of 7', tripline_body_sha256: 'ab' },
      tripline_received_at: '1970-01-01T00:00:00.000Z',
    },
  });
  expect(record.value.toString()).toBe('{"token":"text of 6 characters"}');
  expect(createLetters().write({ ...bad, unread: { content: 1, why: 'so' } }, origin())!.record.headers).toMatchObject({
    tripline_reason: 'unexpected-shape: so',
  });
});

test('of a million in an hour, twenty and one a minute are kept, and the next says how many were not', () => {
  const letters = createLetters();
  const counts: number[] = [];
  let kept = 0;
  for (let nth = 0; nth < 1_000_000; nth += 1) {
    const letter = letters.write(bad, origin(Math.floor((nth * 60 * minuteMs) / 1_000_000)));
    if (letter === undefined) continue;
    kept += 1;
    counts.push(Number(letter.record.headers['tripline_unkept'] ?? 0));
  }
  expect(kept).toBe(20 + 59);
  const last = letters.write(bad, origin(61 * minuteMs))!;
  const told = counts.reduce((sum, count) => sum + count, 0) + Number(last.record.headers['tripline_unkept']);
  expect(told).toBe(1_000_000 - kept);
});

test('one feed, reason or workspace takes no room of another, and a quiet one has its own again', () => {
  const letters = createLetters();
  const fill = (of: Ignored, from: object) => {
    let kept = 0;
    for (let nth = 0; nth < 30; nth += 1) if (letters.write(of, origin(0, from))) kept += 1;
    return kept;
  };
  expect(fill(bad, {})).toBe(20);
  expect(fill(bad, {})).toBe(0);
  expect(fill({ ...bad, ignored: 'impossible-name' }, {})).toBe(20);
  expect(fill(bad, { workspace: 'beta' })).toBe(20);
  expect(fill(bad, { workspace: undefined })).toBe(20);
  expect(fill(bad, { feed: 'github' })).toBe(20);
  expect(fill(bad, { atMs: 20 * minuteMs })).toBe(20);
  // A clock that was set back gives nothing, and breaks nothing.
  expect(fill(bad, { atMs: 0 })).toBe(0);
});

test('what was not appended does not count', () => {
  const letters = createLetters();
  for (let nth = 0; nth < 100; nth += 1) letters.write(bad, origin())?.takeBack();
  for (let nth = 0; nth < 20; nth += 1) expect(letters.write(bad, origin())).toBeDefined();
  for (let nth = 0; nth < 3; nth += 1) expect(letters.write(bad, origin())).toBeUndefined();
  letters.write(bad, origin(minuteMs))!.takeBack();
  expect(letters.write(bad, origin(minuteMs))!.record.headers).toMatchObject({ tripline_unkept: '3' });
});
