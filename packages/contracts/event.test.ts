import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { type AttributeName, attributes } from './attributes.ts';
import { parseEvent } from './event.ts';

const envelope = {
  id: 'github:1',
  source: '//github.com/acme',
  type: 'dev.cdeventsx.tripline-credential.used' as const,
  time: '2026-03-02T00:00:00Z',
  workspace: 'acme',
  trust: 'high' as const,
};

/** One schema of all attributes: what `parseEvent` must say, in whatever way it is quicker. */
const whole = z.strictObject(
  Object.fromEntries(Object.entries(attributes).map(([name, schema]) => [name, schema.optional()])),
);

const names = Object.keys(attributes) as AttributeName[];
const value = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.constantFrom(512, 513, 4096, 4097, 65_536, 65_537).map((length) => 'x'.repeat(length)),
  fc.constantFrom('github', 'open', 'branch', '2026-03-02T00:00:00Z', '2026-03-02', undefined, null),
  fc.integer(),
  fc.boolean(),
  fc.array(fc.string({ maxLength: 3 }), { maxLength: 2 }),
  fc
    .record({ repository: fc.string(), branch: fc.string(), revision: fc.string(), more: fc.string() })
    .map((one) => [one]),
);
const data = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom(...names), fc.constantFrom('no.such', '__proto__', 'constructor')), value))
  .map((pairs) => Object.fromEntries(pairs.map(([name, of]) => [name, of])));

/** Where what is wrong, and how. */
function faultsOf(error: z.ZodError): string[] {
  return error.issues
    .flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : [`${issue.path.join()}: ${issue.message}`]))
    .sort();
}
function parse(candidate: unknown): { data: object } | { faults: string[] } {
  try {
    return { data: parseEvent({ ...envelope, data: candidate }).data };
  } catch (error) {
    return { faults: faultsOf(error as z.ZodError) };
  }
}

it('takes and refuses what one schema of all attributes would, for the same reasons', () => {
  const reference = z.object({ data: whole });
  fc.assert(
    fc.property(data, (given) => {
      const candidate = { 'tripline.credential.id': 'key-1', ...given };
      const wanted = reference.safeParse({ data: candidate });
      if (!wanted.success) expect(parse(candidate)).toEqual({ faults: faultsOf(wanted.error) });
      else if (wanted.data.data['tripline.credential.id'] !== undefined) expect(parse(candidate)).toEqual(wanted.data);
    }),
  );
});

it.each([[[]], [null], ['text'], [undefined]])('refuses data that is no object: %j', (data) => {
  expect(parse(data)).toEqual({ faults: ['data: must be an object'] });
});
