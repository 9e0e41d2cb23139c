import { type AnyRule, defineRule, type FindingDraft } from '@tripline/contracts/rule';
import { at, type LoggedEventInput, playTimeline, type Timeline } from '@tripline/testing/timeline/play';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { findingId } from './finding-id.ts';

const minuteMs = 60_000;
const startMs = Date.parse('2026-03-01T00:00:00Z');
const hourMs = 60 * minuteMs;
type Saying = Partial<Pick<FindingDraft, 'subject' | 'occasion' | 'acts'>>;

/**
 * A rule that finds branch `a` once its letter of `finds` was received, and takes that back with its letter of `excuses`:
 * branches of a repository are the letters.
 */
function letters(
  id: string,
  finds: string,
  excuses: string,
  more: Partial<AnyRule> & { holdMs?: number; says?: Saying } = {},
) {
  const { holdMs, says = {}, ...rest } = more;
  return defineRule<{ heard: string }, unknown>({
    ...{ id, title: 'Synthetic', description: 'For tests.', severity: 'high', confidence: 'high', principles: [5] },
    ...{ attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false, settings: z.object({}) },
    reads: ['dev.cdevents.branch.created'],
    state: z.object({ heard: z.string() }),
    keys: () => ['thing'],
    judge(event, context) {
      const letter = (event.data as unknown as Record<string, string>)['vcs.ref.head.name']!;
      const before = context.get('thing')?.heard ?? '';
      context.set('thing', { heard: before.includes(letter) ? before : before + letter }, 48 * hourMs);
      if (holdMs !== undefined) context.setTimer({ id: 'held', dueMs: context.nowMs + holdMs, keys: ['thing'] });
      else say(context);
    },
    due: (_, context) => say(context),
    ...rest,
  });
  function say(context: Parameters<NonNullable<AnyRule['judge']>>[1]): void {
    const { heard } = context.get('thing') as { heard: string };
    const { acts, ...named } = says;
    const of = { subject: 'acme/app', occasion: 'the act', ...named };
    if (!heard.includes(finds)) return;
    if (heard.includes(excuses)) context.retract({ ...of, reason: 'excused', because: [] });
    else {
      const decidedBy = { eventId: 'act', time: new Date(startMs).toISOString() };
      const nothing = { evidence: [], entities: [], response: [], remedy: [] } as const;
      context.find({ ...of, ...nothing, ...(acts && { acts }), title: id, summary: '', confidence: 'high', decidedBy });
    }
  }
}
const wide = letters('wide', 'a', 'x');
const narrow = letters('narrow', 'b', 'y', { supersedes: ['wide'] });
const narrowest = letters('narrowest', 'c', 'z', { supersedes: ['wide'] });

const told = (text: string): LoggedEventInput[] =>
  [...text].map((letter, place) =>
    at(startMs + place * minuteMs, 'dev.cdevents.branch.created', {
      ...{ 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': letter },
    }),
  );
const idOf = (rule: string) => findingId({ workspace: 'acme', rule, subject: 'acme/app', occasion: 'the act' });
const play = (text: string, rules: readonly AnyRule[] = [wide, narrow], how: Partial<Timeline> = {}) =>
  playTimeline({ rules: [...rules], events: told(text), untilMs: startMs + hourMs, ...how });
const standing = (text: string, rules?: readonly AnyRule[], how?: Partial<Timeline>) => {
  const { findings, superseded, poison } = play(text, rules, how);
  expect(poison).toEqual([]);
  return findings.map(({ rule, id }) => (superseded.has(id) ? `(${rule})` : rule)).sort();
};

test('of two rules that find the same the narrower speaks, whichever came first', () => {
  expect(standing('a')).toEqual(['wide']);
  expect(standing('ab')).toEqual(['(wide)', 'narrow']);
  expect(standing('ba')).toEqual(['(wide)', 'narrow']);
  expect(play('ab').changes).toMatchObject([{ kind: 'superseded', findingId: idOf('wide'), by: idOf('narrow') }]);
  // What is superseded from the beginning was never told.
  expect(play('ba').changes).toEqual([]);
});

test('what the narrower takes back the wider tells, unless it is taken back itself', () => {
  expect(standing('aby')).toEqual(['wide']);
  expect(play('bay').changes).toMatchObject([{ kind: 'superseded', findingId: idOf('wide'), by: null }]);
  expect(standing('abxy')).toEqual([]);
  expect(play('abxy').changes).toHaveLength(1);
  expect(standing('abx')).toEqual(['narrow']);
});

test('two rules that say what they say at one moment say it together', () => {
  for (const rules of [
    [wide, letters('narrow', 'a', 'x', { supersedes: ['wide'] })],
    [letters('narrow', 'a', 'x', { supersedes: ['wide'] }), wide],
    [letters('wide', 'a', 'x', { holdMs: 2000 }), letters('narrow', 'a', 'x', { holdMs: 2000, supersedes: ['wide'] })],
    [
      letters('a-narrow', 'a', 'x', { holdMs: 2000, supersedes: ['wide'] }),
      letters('wide', 'a', 'x', { holdMs: 2000 }),
    ],
  ]) {
    const { findings, superseded, changes } = play('a', rules);
    expect(findings).toHaveLength(2);
    expect([...superseded.keys()]).toEqual([idOf('wide')]);
    expect(changes).toEqual([]);
    // What excuses both is no news of the wider one.
    const excused = play('ax', rules);
    expect([excused.findings, excused.changes]).toEqual([[], []]);
  }
});

test('of two narrower rules one may be taken back', () => {
  const rules = [wide, narrow, narrowest];
  expect(standing('abcy', rules)).toEqual(['(wide)', 'narrowest']);
  expect(standing('abcz', rules)).toEqual(['(wide)', 'narrow']);
  expect(standing('abcyz', rules)).toEqual(['wide']);
});

test('in any order, cut in any way, restarted, and with any order of rules it comes to the same', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(['a', 'b', 'c', 'x', 'y', 'z']),
      fc.shuffledSubarray([wide, narrow, narrowest], { minLength: 3 }),
      fc.integer({ min: 1, max: 6 }),
      (drawn, rules, batchRecords) => {
        const stands = (finds: string, excuses: string) => drawn.includes(finds) && !drawn.includes(excuses);
        const narrower = [stands('b', 'y') && 'narrow', stands('c', 'z') && 'narrowest'].filter((one) => one !== false);
        const wider = stands('a', 'x') ? [narrower.length > 0 ? '(wide)' : 'wide'] : [];
        const wanted = [...narrower, ...wider].sort();
        const text = drawn.join('');
        expect(standing(text, rules)).toEqual(wanted);
        expect(standing(text, rules, { batchRecords })).toEqual(wanted);
        expect(standing(text, rules, { restartAfterEach: true })).toEqual(wanted);
        expect(standing(text, rules, { duplicated: true })).toEqual(wanted);
        expect(play(text, rules, { batchRecords }).changes).toEqual(play(text, rules).changes);
      },
    ),
    { numRuns: 200 },
  );
});

/** Knows the act by its name; the others rest on it, and say something else of something else. */
const plain = letters('plain', 'a', 'x', { severity: 'medium', yieldsTo: ['graver', 'lesser'] });
const restsOnIt = { subject: 'acme', acts: ['another act', 'the act'] };
const graver = letters('graver', 'b', 'y', { severity: 'medium', says: { ...restsOnIt, occasion: 'what follows' } });
const lesser = letters('lesser', 'c', 'z', { severity: 'low', says: { ...restsOnIt, occasion: 'what else follows' } });
const unlike = letters('graver', 'b', 'y', { says: { subject: 'acme', occasion: 'the act', acts: ['another act'] } });

test('of two findings of one act the graver speaks, and the fuller where they are equal, whatever they are about', () => {
  expect(standing('ab', [plain, graver])).toEqual(['(plain)', 'graver']);
  expect(standing('ba', [plain, graver])).toEqual(['(plain)', 'graver']);
  expect(standing('aby', [plain, graver])).toEqual(['plain']);
  expect(standing('ac', [plain, lesser])).toEqual(['(lesser)', 'plain']);
  expect(standing('ca', [plain, lesser])).toEqual(['(lesser)', 'plain']);
  expect(standing('acx', [plain, lesser])).toEqual(['lesser']);
  expect(standing('ab', [plain, unlike])).toEqual(['graver', 'plain']);
});

test('what is doubted more, or yields to another, hides nothing, in any order, cut in any way and restarted', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(['a', 'b', 'c', 'x', 'y', 'z']),
      fc.shuffledSubarray([plain, graver, lesser], { minLength: 3 }),
      fc.integer({ min: 1, max: 6 }),
      (drawn, rules, batchRecords) => {
        const stands = (finds: string, excuses: string) => drawn.includes(finds) && !drawn.includes(excuses);
        const [isPlain, isGraver, isLesser] = [stands('a', 'x'), stands('b', 'y'), stands('c', 'z')];
        const wanted = [
          ...(isPlain ? [isGraver ? '(plain)' : 'plain'] : []),
          ...(isGraver ? ['graver'] : []),
          ...(isLesser ? [isPlain ? '(lesser)' : 'lesser'] : []),
        ].sort();
        const text = drawn.join('');
        expect(standing(text, rules)).toEqual(wanted);
        expect(standing(text, rules, { batchRecords })).toEqual(wanted);
        expect(standing(text, rules, { restartAfterEach: true })).toEqual(wanted);
        expect(standing(text, rules, { duplicated: true })).toEqual(wanted);
      },
    ),
    { numRuns: 200 },
  );
});
