import fc from 'fast-check';
import { expect, test } from 'vitest';
import { outlineOf } from './outline.ts';

const outline = (content: unknown) => JSON.parse(outlineOf(content));

test('names of fields, kinds and lengths of values, and what documented fields say', () => {
  const record = {
    ...{ '@timestamp': 1795838400000, _document_id: 'vYBXLj8xEmYLH3Zvuw7rZw', action: 'org.add_member' },
    ...{ org: 'acme', org_id: 77, actor_id: '7', actor: 'mona', public_repo: true, team: null },
    config: { secret: 'hunter2', url: 'https://ci.example' },
    list: [1, 'two', { three: 3 }, 4, 5],
  };
  const told = {
    ...{ '@timestamp': 1795838400000, _document_id: 'vYBXLj8xEmYLH3Zvuw7rZw', action: 'org.add_member' },
    ...{ org: 'acme', org_id: 77, actor_id: '7', actor: 'text of 4 characters', public_repo: true, team: null },
    config: { secret: 'text of 7 characters', url: 'text of 18 characters' },
    list: ['number', 'text of 3 characters', { three: 'number' }, '2 more'],
  };
  expect(outline(record)).toEqual(told);
  expect(outline(Buffer.from(JSON.stringify(record)))).toEqual(told);
  expect(outline(Buffer.from('{"a":'))).toBe('5 bytes that are no JSON object');
  expect(outline('plain text')).toBe('text of 10 characters');
  expect(outline(undefined)).toBe(null);
});

test('a documented field of another form, and a name that is none of a field, are described', () => {
  const secret = 'Zx9-canary-5f3a91c7d2e84b60';
  const told = outlineOf({
    ...{ action: secret, _document_id: `${secret}x`, org: `${secret}!`, created_at: secret, '@timestamp': secret },
    ...{ org_id: secret, user_id: 'ghp_0123456789abcdefghij', [secret]: 1, ghp_aaaaaaaaaaaaaaaaaaaa: 2 },
    ...{ nested: { [`${secret}`.toLowerCase()]: { action: [secret] } }, __proto__x: secret },
  });
  expect(told).not.toContain('canary');
  expect(told).not.toContain('aaaaaa');
  expect(told).toContain('its name of 27 characters');
});

test('whatever comes: valid JSON of 16 KiB at most, and no text that stood in a value', () => {
  const secret = 'q7Kp2w9Rz4Lm8Nv3';
  const content = fc.jsonValue({ maxDepth: 12, depthSize: 'large' }).map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(content, fc.nat(), (text, seed) => {
      // The secret in place of the nth text that stands in it, as a value or as a name.
      const places = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)];
      const at = places[seed % Math.max(1, places.length)];
      const planted = at
        ? text.slice(0, at.index) + JSON.stringify(secret) + text.slice(at.index + at[0].length)
        : text;
      const told = outlineOf(JSON.parse(planted));
      expect(told).not.toContain(secret);
      expect(Buffer.byteLength(told)).toBeLessThanOrEqual(16 * 1024);
      JSON.parse(told);
    }),
  );
  const wide = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`field_${'x'.repeat(15)}_${n % 10}${n}`, 'y']));
  const huge = Array.from({ length: 3 }, () => ({
    ...wide,
    deep: { ...wide, deep: { ...wide, action: 'a'.repeat(64) } },
  }));
  expect(outlineOf(huge).length).toBeLessThanOrEqual(16 * 1024);
  const manyFields = Object.fromEntries(Array.from({ length: 90_000 }, (_, n) => [`k${n}`, n]));
  expect(outline(manyFields)['…']).toBe('89940 more fields');
});
