import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseObjectOfUniqueNames } from './json-object.ts';

const parse = (text: string) => parseObjectOfUniqueNames(Buffer.from(text));

test('an object is read as JSON.parse reads it, however it is spaced', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()),
      fc.constantFrom(0, 1, '\t'),
      (object, indent) => {
        const text = JSON.stringify(object, null, indent);
        expect(parse(text)).toEqual({ object: JSON.parse(text) });
      },
    ),
  );
});

test('a name that is added once more is found, wherever, and however it is spelled', () => {
  const spelled = (name: string, isEscaped: boolean) =>
    isEscaped
      ? `"${[...Array(name.length).keys()].map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(name);
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue(), { minKeys: 1 }),
      fc.nat(),
      fc.boolean(),
      fc.boolean(),
      fc.nat(3),
      (object, nth, isEscaped, isFirst, depth) => {
        const names = Object.keys(object);
        const again = `${spelled(names[nth % names.length]!, isEscaped)} : null`;
        const whole = JSON.stringify(object).slice(1, -1);
        let text = isFirst ? `{${again},${whole}}` : `{${whole},${again}}`;
        for (let at = 0; at < depth; at += 1) text = `{"${at}":[${text}]}`;
        expect(parse(text)).toEqual({ fault: 'duplicate-names' });
      },
    ),
  );
});

test('the same name in two objects, in a list or as a value is none', () => {
  for (const text of [
    '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
    '{"a":"a","b":"a"}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
    '{"a":["b","b"]}',
  ])
    expect(parse(text)).toHaveProperty('object');
});

test('the name of a prototype is a name', () => {
  expect(parse('{"__proto__":{"iss":"x"}}')).toHaveProperty('object');
  expect(parse('{"__proto__":1,"__proto__":2}')).toEqual({ fault: 'duplicate-names' });
});
