import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSeals, SealError } from './seal.ts';

const [former, present, other] = ['former', 'present', 'other'].map((name) => `${name}-key-0123456789abcdef`) as [
  string,
  string,
  string,
];
const of = { grantId: 'g-1', nth: 0 };
const credential = fc.record({
  grantId: fc.string({ minLength: 1, unit: 'binary' }).filter((text) => text.isWellFormed()),
  nth: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});
const value = fc.string({ maxLength: 600, unit: 'binary' }).filter((text) => text.isWellFormed());

test('what is sealed opens for its own credential, and says nothing before', () => {
  const seals = createSeals([present]);
  fc.assert(
    fc.property(value, credential, (text, whose) => {
      const sealed = seals.seal(text, whose);
      expect(seals.open(sealed, whose)).toBe(text);
      if (text.length > 3) expect(sealed.includes(Buffer.from(text))).toBe(false);
      // As Postgres gives it back.
      expect(seals.open(new Uint8Array(sealed), whose)).toBe(text);
    }),
  );
});

test('for another grant or number it does not open', () => {
  const seals = createSeals([present]);
  fc.assert(
    fc.property(value, credential, credential, (text, whose, another) => {
      fc.pre(whose.grantId !== another.grantId || whose.nth !== another.nth);
      expect(() => seals.open(seals.seal(text, whose), another)).toThrow(SealError);
    }),
  );
});

test('changed by one bit, cut short or lengthened it does not open', () => {
  const seals = createSeals([present, former]);
  fc.assert(
    fc.property(value, fc.nat(), (text, place) => {
      const sealed = seals.seal(text, of);
      const flipped = Buffer.from(sealed);
      const bit = place % (sealed.length * 8);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      expect(() => seals.open(flipped, of)).toThrow(SealError);
      expect(() => seals.open(sealed.subarray(0, place % sealed.length), of)).toThrow(SealError);
      expect(() => seals.open(Buffer.concat([sealed, Buffer.of(place & 255)]), of)).toThrow(SealError);
    }),
  );
});

test('keys are rotated: the first seals, all open, and one that is gone is asked for', () => {
  const sealed = createSeals([former]).seal('the value', of);
  const rotating = createSeals([present, former]);
  expect(rotating.open(sealed, of)).toBe('the value');
  const anew = rotating.seal('the value', of);
  expect(createSeals([present]).open(anew, of)).toBe('the value');
  expect(() => createSeals([former]).open(anew, of)).toThrow(/broker\.sealingKeys does not name/);
  expect(() => createSeals([other]).open(sealed, of)).toThrow(/broker\.sealingKeys does not name/);
});

test('no two seals of one value are alike, and no error repeats it', () => {
  const seals = createSeals([present]);
  const sealed = seals.seal('the canary value', of);
  expect(seals.seal('the canary value', of).equals(sealed)).toBe(false);
  try {
    seals.open(sealed, { grantId: 'g-2', nth: 0 });
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('canary');
  }
});

test('without a key nothing starts', () => {
  expect(() => createSeals([])).toThrow(/broker\.sealingKeys/);
});
