import type { Scenario, ScenarioStep } from '@tripline/scenarios/scenario';
import { describe, expect, it, test } from 'vitest';
import { response } from '../commands/attack.ts';
import { alsoFound, type DrillEvent, type Expected, type Found, faults, type Responded, timings } from './seen.ts';
import { listening } from './timeline.ts';

const expected: Expected = { rule: 'a', decidingStep: 'push', decidingEvent: 'github:1', responses: ['stop-run'] };
const found: Found = {
  what: 'found',
  atMs: 1000,
  ...{ id: 'f1', rule: 'a', severity: 'high', confidence: 'high', subject: 's', title: 't', incident: 'INC-1' },
  decidingEvent: 'github:1',
};
const notified: DrillEvent = {
  what: 'notified',
  atMs: 1010,
  channel: 'slack',
  kind: 'posted',
  incident: 'INC-1',
  dryRun: true,
};
const responded: Responded = {
  what: 'responded',
  atMs: 1020,
  ...{ finding: 'f1', ordinal: 0, action: 'stop-run', verdict: 'dry-run', state: 'refused', detail: null },
};
test.each([
  ['dry-run', 'refused', 'A drill: shown, not done', ['would', 'magenta', 'stop the run']],
  ['by-hand', 'refused', 'Nobody but a person can', ['by hand', 'red', 'stop the run: Nobody but a person can']],
  ['kill-switch', 'refused', 'The kill switch is on', ['did not', 'red', 'stop the run: The kill switch is on']],
  ['act', 'failed', 'GitHub answered 403', ['FAILED', 'red', 'to stop the run: GitHub answered 403']],
])('a step that is %s says why in words', (verdict, state, detail, shown) => {
  expect(response({ ...responded, verdict, state, detail })).toEqual(shown);
});
const all = [found, notified, responded];

const judge = (expects: readonly Expected[], seen: readonly DrillEvent[], strict = false) =>
  faults(expects, seen, { strict });

describe('the verdict', () => {
  it('is good when all expectations were met, and nothing else was found', () => {
    expect(judge([expected], all)).toEqual([]);
    expect(judge([], [])).toEqual([]);
  });

  it.each([
    ['nothing was found', [], 'a was expected and not found'],
    ['another rule fired instead', [{ ...found, rule: 'b' }], 'a was expected and not found'],
    [
      'it was found at another event',
      [{ ...found, decidingEvent: 'github:2' }],
      'a was expected and not found at push',
    ],
    ['nobody was told', [found, responded], 'nobody was notified of a (INC-1)'],
    ['it was silenced', [{ ...found, incident: null }, responded], 'it was silenced'],
    ['nothing was done', [found, notified], 'should have led to stop-run, and led to nothing'],
    [
      'too much was done',
      [...all, { ...responded, ordinal: 1, action: 'isolate-runner' }],
      'led to stop-run, isolate-runner',
    ],
    ['it was retracted', [...all, { what: 'retracted', atMs: 1, finding: 'f1', reason: 'late' }], 'retracted: late'],
  ] as [string, DrillEvent[], string][])('is bad when %s', (_what, seen, sentence) => {
    expect(judge([expected], seen).join('\n')).toContain(sentence);
  });

  it('is bad for the honest twin as soon as anything is found', () => {
    expect(judge([], all, true)).toEqual(['a on s was found, and nothing may be']);
  });

  it('of an attack is no worse for what a rule of one’s own finds in it, which is listed', () => {
    const others = [
      { ...found, rule: 'own', id: 'f2', incident: null },
      { ...found, id: 'f3' },
    ];
    expect(judge([expected], [...all, ...others])).toEqual([]);
    expect(alsoFound([expected], [...all, ...others])).toEqual(['own on s', 'a on s']);
    expect(alsoFound([expected], all)).toEqual([]);
  });

  it('counts a step once that waited for a place before it was carried out', () => {
    expect(judge([expected], [...all, { ...responded, state: 'queued' } as DrillEvent])).toEqual([]);
  });

  it('pairs two findings of one rule with two expectations', () => {
    const second = { ...found, id: 'f2' };
    expect(judge([expected, { ...expected }], [...all, second, { ...responded, finding: 'f2' }])).toEqual([]);
    expect(judge([expected, { ...expected }], all)).toEqual(['a was expected and not found at push']);
    // Of two by one event, each answers the expectation whose responses it led to, in whatever order they were found.
    const without: Expected = { ...expected, responses: [] };
    for (const expects of [
      [expected, without],
      [without, expected],
    ])
      for (const items of [
        [second, ...all],
        [...all, second],
      ])
        expect(judge(expects, items)).toEqual([]);
  });
});

it('says how long it took from the deciding step, and for a timer from when it was due', () => {
  const timeline = { startMs: 0, sentMs: new Map([['push', 900]]) };
  expect(timings([expected], all, timeline)).toEqual([
    { rule: 'a', decidingStep: 'push', foundMs: 100, notifiedMs: 110, respondedMs: 120 },
  ]);
  expect(timings([{ ...expected, afterMs: 60 }], [found], timeline)).toEqual([
    { rule: 'a', decidingStep: 'push', foundMs: 40, notifiedMs: null, respondedMs: null },
  ]);
  expect(timings([expected], [{ ...found, rule: 'b' }], timeline)).toEqual([]);
});

describe('listening', () => {
  const step = (name: string, atMs: number) => ({ name, atMs }) as ScenarioStep;
  const scenario = (expects: Expected[]) => ({ expects }) as unknown as Scenario;

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
