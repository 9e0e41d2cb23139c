import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonObject } from './json.ts';

const nested = (levels: number, open: string, close: string) =>
  Buffer.from(`{"a":${open.repeat(levels - 1)}1${close.repeat(levels - 1)}}`);

describe('parseJsonObject', () => {
  test.each([
    ['[', ']'],
    ['{"a":', '}'],
    ['[ \n', ']'],
    ['[1,', ',1]'],
  ])('takes 64 levels of %j and refuses 65', (open, close) => {
    expect(parseJsonObject(nested(64, open, close))).toHaveProperty('body');
    expect(parseJsonObject(nested(65, open, close))).toMatchObject({ refusal: { reason: 'too-deep' } });
  });

  test('counts no bracket within a string', () => {
    const body = { templates: Array(100).fill('commits{/sha}'), texts: Array(100).fill('"[{ \\" [[') };
    expect(parseJsonObject(Buffer.from(JSON.stringify(body)))).toEqual({ body });
  });

  test('takes 100,000 keys, which no body of GitHub’s has, and refuses more, however they are written', () => {
    const keys = (count: number, colon: string) =>
      Buffer.from(`{${Array.from({ length: count }, (_, n) => `"k\\\\${n}\\""${colon}0`).join(',')}}`);
    for (const colon of [':', ' : ', '\n:']) {
      expect(parseJsonObject(keys(100_000, colon))).toHaveProperty('body');
      expect(parseJsonObject(keys(100_001, colon))).toMatchObject({ refusal: { reason: 'too-many-keys' } });
    }
    const texts = { text: ':'.repeat(500_000), more: Array(1000).fill('"a":"b",'.repeat(200)) };
    expect(parseJsonObject(Buffer.from(JSON.stringify(texts)))).toEqual({ body: texts });
  });

  test('refuses as no UTF-8 what is none, and only that', () => {
    const piece = fc.constantFrom([0x61], [0xc3, 0xa9], [0xe2, 0x82], [0xef, 0xbf, 0xbd], [0xf0, 0x9f, 0x98, 0x80]);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 12 }).map((given) => [...given]),
      fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.flat()),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const parsed = parseJsonObject(Buffer.from([...Buffer.from('{"a":"'), ...given, ...Buffer.from('"}')]));
        const isRefused = 'refusal' in parsed && parsed.refusal.reason === 'invalid-utf8';
        expect(isRefused).toBe(!isUtf8(Buffer.from(given)));
      }),
      { numRuns: 2000 },
    );
  });

  test('takes a wide body', () => {
    const body = { list: Array.from({ length: 500 }, () => ({ a: [{}] })) };
    expect(parseJsonObject(Buffer.from(JSON.stringify(body)))).toEqual({ body });
  });
});
