import type { Expectation, Scenario, Step } from '@tripline/scenarios/contract';
import { describe, expect, it } from 'vitest';
import { afterDeciding, type Found, faults, type Seen } from './seen.ts';
import { listening } from './timeline.ts';

const expected: Expectation = { rule: 'a', decidingStep: 'push', responses: ['cancel-run'] };
const found: Found = {
  what: 'found',
  atMs: 1000,
  ...{ id: 'f1', rule: 'a', severity: 'high', confidence: 'high', subject: 's', title: 't', incident: 'INC-1' },
};
const told: Seen = { what: 'told', atMs: 1010, sink: 'slack', kind: 'posted', incident: 'INC-1', dryRun: true };
const revoked: Seen = {
  what: 'revoked',
  atMs: 1020,
  ...{ finding: 'f1', ordinal: 0, action: 'cancel-run', verdict: 'dry-run', state: 'refused' },
};
const all = [found, told, revoked];

describe('the verdict', () => {
  it('is good when all came true, and nothing else', () => {
    expect(faults([expected], all)).toEqual([]);
    expect(faults([], [])).toEqual([]);
  });

  it.each([
    ['nothing was found', [], 'a was expected and not found'],
    ['another rule fired', [{ ...found, rule: 'b' }], 'b was found on s'],
    ['it fired twice', [...all, { ...found, id: 'f2' }], 'a was found on s, and nothing of the kind'],
    ['nobody was told', [found, revoked], 'nobody was told of a (INC-1)'],
    ['it was silenced', [{ ...found, incident: null }, revoked], 'it was silenced'],
    ['nothing was done', [found, told], 'should have led to cancel-run, and led to nothing'],
    [
      'too much was done',
      [...all, { ...revoked, ordinal: 1, action: 'remove-runner' }],
      'led to cancel-run, remove-runner',
    ],
    ['it was withdrawn', [...all, { what: 'withdrawn', atMs: 1, finding: 'f1', reason: 'late' }], 'withdrawn: late'],
  ] as [string, Seen[], string][])('is bad when %s', (_what, seen, sentence) => {
    expect(faults([expected], seen).join('\n')).toContain(sentence);
  });

  it('is bad for the honest twin as soon as anything is found', () => {
    expect(faults([], all)).toHaveLength(1);
  });

  it('pairs two findings of one rule with two expectations', () => {
    const second = { ...found, id: 'f2' };
    expect(faults([expected, { ...expected }], [...all, second, { ...revoked, finding: 'f2' }])).toEqual([]);
    expect(faults([expected, { ...expected }], all)).toEqual(['a was expected and not found']);
  });
});

it('counts milliseconds from the deciding step, and for a timer from when it was due', () => {
  const timeline = { startMs: 0, sentMs: new Map([['push', 900]]) };
  expect(afterDeciding(found, [expected], all, timeline)).toBe(100);
  expect(afterDeciding(revoked, [expected], all, timeline)).toBe(120);
  expect(afterDeciding(told, [{ ...expected, afterMs: 60 }], all, timeline)).toBe(50);
  expect(afterDeciding({ ...found, id: 'other', rule: 'b' }, [expected], all, timeline)).toBeUndefined();
});

describe('listening', () => {
  const step = (name: string, atMs: number) => ({ name, atMs }) as Step;
  const scenario = (expects: Expectation[]) => ({ expects }) as unknown as Scenario;

  it('goes on for 1.5 s after the last step, and 5 s for what is expected', () => {
    expect(listening(scenario([expected]), [step('push', 400)], {}, 0)).toEqual({ quietMs: 1500, mostMs: 5000 });
  });

  it('waits for timers of the rules, and for the skew that the log is allowed', () => {
    const late = { ...expected, afterMs: 3000 };
    const settings = { a: { graceMs: 4000, latenessDays: 3, learningMs: 10 ** 9, brokers: [] } };
    const steps = [step('push', 400), step('tag', 900)];
    expect(listening(scenario([late]), steps, settings, 2000)).toEqual({ quietMs: 7500, mostMs: 9500 });
  });
});
