import { expect, test } from 'vitest';
import { sentenceFor } from './errors.ts';

const fault = (code: string, path: string) => Object.assign(new Error(`${code}: x, open '${path}'`), { code, path });

test.each([
  [
    'ENOSPC',
    /^\/data\/spool cannot be written, since its disk is full \(ENOSPC\); free some space, or set TRIPLINE_DATA/,
  ],
  ['EACCES', /^EACCES: .*; let this user read and write there, or set TRIPLINE_DATA to another folder$/],
  ['EROFS', /^EROFS: .*; let this user read and write there, or set TRIPLINE_DATA to another folder$/],
])('%s says what to do', (code, sentence) => {
  expect(sentenceFor(fault(code, '/data/spool'))).toMatch(sentence);
});

test('a fault of ours has no sentence', () => {
  expect(sentenceFor(new TypeError('x is not a function'))).toBeNull();
});
