import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJsonObjects } from './json-objects.ts';

const bodyOf = (text: string) => parseJsonObjects(Buffer.from(text));

test('reads objects one after another, whatever stands in them and between them', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  const between = fc.constantFrom('', ' ', '\n', '\r\n\t');
  fc.assert(
    fc.property(fc.array(fc.tuple(object, between)), between, (parts, before) => {
      const text = before + parts.map(([one, after]) => JSON.stringify(one) + after).join('');
      const objects = parts.map(([one]) => ({ body: JSON.parse(JSON.stringify(one)) }));
      expect(bodyOf(text)).toEqual({ objects });
    }),
  );
});

test('one that is no JSON keeps its neighbours; what is cut off, or no object, refuses the whole', () => {
  expect(bodyOf('{"a":1}{a:2}{"b":3}')).toMatchObject({
    objects: [{ body: { a: 1 } }, { refusal: { reason: 'invalid-json' } }, { body: { b: 3 } }],
  });
  for (const text of ['{"a":1}{"b"', '{"a":"}', '[{}]', '{},{}', 'a'])
    expect(bodyOf(text), text).toMatchObject({ refusal: { reason: 'invalid-json' } });
  expect(bodyOf('')).toEqual({ objects: [] });
});

test('one that does not end keeps its neighbours where another begins on its own line, and is told once', () => {
  const bad = { refusal: { reason: 'invalid-json' } };
  const told = (text: string) => (bodyOf(text) as { objects: unknown[] }).objects;
  expect(told('{"a":1}\n{"b\n{"c":3}\n')).toMatchObject([{ body: { a: 1 } }, bad, { body: { c: 3 } }]);
  expect(told('x\n{"a":1}{"b":2}\n{{\r\n{"c":3}')).toMatchObject([
    ...[bad, { body: { a: 1 } }, { body: { b: 2 } }, bad, { body: { c: 3 } }],
  ]);
  // What comes last and does not end may be half of a record: the sender must send it again.
  for (const text of ['{"a":1}\n{"b', '{"a\n{"b":1}\n{"c":'])
    expect(bodyOf(text), text).toMatchObject({ refusal: { reason: 'invalid-json' } });
});

test('reads a body of nothing but broken records once, not once for each', () => {
  const lines = `${'{"a":[\n'.repeat(9000)}${' '.repeat(4_000_000)}\n{}`;
  expect((bodyOf(lines) as { objects: unknown[] }).objects).toHaveLength(9001);
  expect(bodyOf('{\n'.repeat(2_000_000))).toMatchObject({ refusal: { reason: 'body-too-large' } });
});

test('takes ten thousand objects and a million keys, and refuses more', () => {
  expect(bodyOf('{}'.repeat(10_000))).toHaveProperty('objects');
  expect(bodyOf('{}'.repeat(10_001))).toMatchObject({ refusal: { reason: 'body-too-large' } });
  const keys = (count: number) => `{${Array.from({ length: count }, (_, n) => `"k${n}":0`).join(',')}}`;
  expect(bodyOf(keys(50_000).repeat(21))).toMatchObject({ refusal: { reason: 'too-many-keys' } });
});
