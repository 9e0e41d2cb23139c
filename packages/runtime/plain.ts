import { stripVTControlCharacters } from 'node:util';

/**
 * Untrusted text, made safe for a terminal: attackers choose branch names and titles, and an escape sequence in one
 * could change what the reader sees.
 */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '�');
}
