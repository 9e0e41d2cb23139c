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

  test('takes a wide body', () => {
    const body = { list: Array.from({ length: 500 }, () => ({ a: [{}] })) };
    expect(parseJsonObject(Buffer.from(JSON.stringify(body)))).toEqual({ body });
  });
});
