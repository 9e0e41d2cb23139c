import { clip } from '@tripline/contracts/text';
import { redactText } from '@tripline/runtime/redact';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { text, utc } from './untrusted.ts';

const units = ['a', 'Z', '0', '-', '_', '~', ' ', ':', '/', '@', '\t', '\n', '\r', '\v', '\0', '\x1f', '\x7f', '\x80'];
const wide = ['é', '€', '😀', '\ud800', '\udc00', '\u2028'];
const secrets = [`ghp_${'A1b2'.repeat(5)}`, 'xoxb-123456789', 'xoxb-1234567890', 'https://a:b@c', '://a:b@'];
const anyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...units), maxLength: 20 }),
  fc.string({ unit: fc.constantFrom(...units, ...wide, ...secrets), maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

describe('text', () => {
  test('is made well-formed, rid of controls and credentials, and cut, in this order, whatever it is', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 30 }), (value, limit) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
        const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
        expect(text(value, limit)).toBe(clip(redactText(value.toWellFormed().replace(controls, '\ufffd')), limit));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('utc', () => {
  const digits = (max: number, width: number) => fc.nat({ max }).map((count) => String(count).padStart(width, '0'));
  const fraction = fc.oneof(
    fc.constant(''),
    fc.string({ unit: fc.constantFrom('0', '7'), minLength: 1, maxLength: 6 }).map((given) => `.${given}`),
  );
  const zone = fc.oneof({ weight: 3, arbitrary: fc.constant('Z') }, fc.constantFrom('', 'z', '+00:00', '-05:30', 'ZZ'));
  const instant = fc
    .tuple(
      fc.oneof(digits(9999, 4), fc.constantFrom('1969', '1970', '2024', '2025', '9999')),
      digits(13, 2),
      digits(32, 2),
      digits(25, 2),
      digits(61, 2),
      digits(61, 2),
      fraction,
      zone,
    )
    .map(([year, month, day, hour, minute, second, part, end]) => {
      return `${year}-${month}-${day}T${hour}:${minute}:${second}${part}${end}`;
    });

  test('is what Date makes of it, however it is written', () => {
    fc.assert(
      fc.property(instant, (given) => {
        const ms = Date.parse(given);
        const isTime = ms >= 0 && ms < Date.parse('+010000-01-01T00:00:00Z');
        expect(utc(given)).toBe(isTime ? new Date(ms).toISOString() : undefined);
      }),
      { numRuns: 5000 },
    );
    expect(utc('2026-01-02T03:04:05Z')).toBe('2026-01-02T03:04:05.000Z');
    expect(utc('2026-01-02T03:04:05.678Z')).toBe('2026-01-02T03:04:05.678Z');
    expect(utc('2026-01-02T03:04:05.678Z\n')).toBeUndefined();
  });
});
