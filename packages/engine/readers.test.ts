import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyRule } from '@tripline/contracts/rule';
import { describe, expect, test } from 'vitest';
import { readersByType } from './readers.ts';

const type = 'dev.cdeventsx.tripline-audit.recorded';
const attribute = 'tripline.audit.action';
const ruleOf = (id: string, more: object = {}) => ({
  rule: { id, reads: [type], ...more } as unknown as AnyRule,
  ...{ written: {}, settings: {} },
});
const event = (data: object) => ({ type, data }) as unknown as LoggedEvent;
const bytes = (data: object) => Buffer.from(JSON.stringify(data));

const every = ruleOf('every');
const byValue = ruleOf('by-value', { where: { attribute, oneOf: ['a', 'b'] } });
const byPresence = ruleOf('by-presence', { has: attribute });
const idsOf = (those: readonly { rule: AnyRule }[]) => those.map(({ rule: { id } }) => id);

describe('the rules that want an event', () => {
  test('are those of its type: all, those of its value, and those of whatever value, in their order', () => {
    const readers = readersByType([byPresence, every, byValue]);
    const of = (data: object) => idsOf(readers.wanting(readers.of(type)!, event(data)));
    expect(of({ [attribute]: 'a' })).toEqual(['by-presence', 'every', 'by-value']);
    expect(of({ [attribute]: 'c' })).toEqual(['by-presence', 'every']);
    expect(of({ other: 'a' })).toEqual(['every']);
  });

  test('are known not to be, by its bytes, only where none is', () => {
    const some = readersByType([byValue, byPresence]);
    expect(some.mayWant(some.of(type), bytes({ other: attribute.slice(3) }))).toBe(false);
    expect(some.mayWant(some.of(type), bytes({ [attribute]: 'c' }))).toBe(true);
    expect(some.mayWant(some.of(type), null)).toBe(true);
    const all = readersByType([every]);
    expect(all.mayWant(all.of(type), bytes({}))).toBe(true);
    expect(all.mayWant(undefined, bytes({ [attribute]: 'a' }))).toBe(false);
  });
});
