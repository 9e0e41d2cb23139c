import { stripVTControlCharacters } from 'node:util';

/**
 * Text of strangers, fit for a terminal: branch names and titles are an attacker's to choose, and an escape sequence
 * in one could rewrite what the reader sees.
 */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '�');
}
