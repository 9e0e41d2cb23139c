import { seeded } from '@tripline/testing/timeline/any-order';
import {
  at,
  type LoggedEventInput,
  late,
  permuted,
  playTimeline,
  type Timeline,
} from '@tripline/testing/timeline/play';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { absence } from './absence.ts';
import { firstSeen } from './first-seen.ts';
import { fromFacts } from './from-facts.ts';
import { match } from './match.ts';
import type { Named } from './seen.ts';
import { sequencesOf, temporal } from './temporal.ts';

/** What the builders on facts find, held against the plainest account of the same, on random logs in any order. */
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const startMs = Date.parse('2026-03-11T00:00:00Z');

type Act = { kind: 'a' | 'b' | 'c'; by: string; thing: string; minute: number };
const acts = (most: number, minutes: number) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
      by: fc.constantFrom('ada', 'mallory'),
      thing: fc.constantFrom('acme/x', 'acme/y'),
      minute: fc.integer({ min: 0, max: minutes }),
    }),
    { maxLength: most },
  );
/** `kind` as the name of a branch, `thing` as the repository. */
const eventOf = ({ kind, by, thing, minute }: Act, place: number): LoggedEventInput =>
  at(
    startMs + minute * minuteMs,
    'dev.cdevents.branch.created',
    {
      ...{ 'user.name': by, 'vcs.repository.name': thing, 'vcs.ref.head.name': kind },
    },
    { id: `act-${String(place).padStart(3, '0')}` },
  );
type Placed = Act & { id: string };
const placed = (log: readonly Act[]): Placed[] =>
  log
    .map((act, place) => ({ ...act, id: `act-${String(place).padStart(3, '0')}` }))
    .sort((x, y) => x.minute - y.minute || (x.id < y.id ? -1 : 1));

const common = {
  ...{ title: 'Synthetic', description: 'For tests.', severity: 'high' as const, principles: [1 as const] },
  ...{ attack: [], owasp: [], falseAlarms: [] },
  on: ['dev.cdevents.branch.created' as const],
  tell: ({ by }: { by: Named }) => `${by.name} did`,
};
const sightings = {
  ...common,
  key: (event: { data: object }) => (event.data as unknown as Record<string, string>)['vcs.repository.name'],
  observe: (event: { data: object }) => ({
    kind: (event.data as unknown as Record<string, string>)['vcs.ref.head.name']!,
    data: null,
  }),
  data: z.null(),
};

const standing = (rule: Timeline['rules'][number], events: LoggedEventInput[], how: Partial<Timeline> = {}) => {
  const played = playTimeline({ rules: [rule], events, untilMs: startMs + 60 * 24 * hourMs, ...how });
  expect(played.poison).toEqual([]);
  return played.findings
    .filter(({ rule: by }) => by === rule.id)
    .map(({ subject, occasion }) => `${subject} ${occasion}`)
    .sort();
};
function expectAsReference(
  rule: Timeline['rules'][number],
  log: fc.Arbitrary<Act[]>,
  reference: (log: Placed[]) => string[],
) {
  fc.assert(
    fc.property(log, fc.integer(), (drawn, seed) => {
      const events = drawn.map(eventOf);
      const wanted = reference(placed(drawn)).sort();
      const random = seeded(seed);
      expect(standing(rule, events), 'in order').toEqual(wanted);
      expect(standing(rule, events, { duplicated: true, batchRecords: 3 }), 'doubled').toEqual(wanted);
      expect(standing(rule, permuted(events, random)), 'shuffled').toEqual(wanted);
      expect(standing(rule, permuted(events, random), { restartAfterEach: true }), 'restarted').toEqual(wanted);
      expect(
        standing(
          rule,
          late(events, 40 * hourMs, () => random() < 0.3),
        ),
        'late',
      ).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
}

describe('fromFacts', () => {
  // Each a whose last act before it was a b.
  const rule = fromFacts({
    ...sightings,
    id: 'a-after-b',
    keepMs: 30 * 24 * hourMs,
    conclude: (sights, { key }) =>
      sights.flatMap((sight, place) => {
        const before = sights[place - 1];
        if (sight.kind !== 'a' || before?.kind !== 'b') return [];
        return [{ subject: key, occasion: sight.eventId, because: [before, sight], title: 'A after b', summary: '' }];
      }),
  });
  test('finds what a function of the whole log finds', () => {
    expectAsReference(rule, acts(14, 600), (log) =>
      ['acme/x', 'acme/y'].flatMap((thing) => {
        const own = log.filter((act) => act.thing === thing);
        return own.flatMap((act, place) =>
          act.kind === 'a' && own[place - 1]?.kind === 'b' ? [`${thing} ${act.id}`] : [],
        );
      }),
    );
  });

  test('what a finding rests on outlasts a flood by another and by its own author, and is never taken back for it', () => {
    const harm = [
      { kind: 'b', by: 'mallory', thing: 'acme/x', minute: 0 },
      { kind: 'a', by: 'mallory', thing: 'acme/x', minute: 1 },
    ] as const;
    const flood = Array.from({ length: 100 }, (_, nth) => {
      return { kind: nth % 2 ? 'b' : 'c', by: nth % 3 ? 'mallory' : 'eve', thing: 'acme/x', minute: 2 + nth } as Act;
    });
    const events = [...harm, ...flood].map(eventOf);
    const played = playTimeline({ rules: [rule], events, untilMs: startMs + 24 * hourMs });
    expect(played.withdrawn).toEqual([]);
    expect(played.findings.filter(({ rule: by }) => by === rule.id)).toHaveLength(1);
    expect(played.findings.filter(({ rule: by }) => by === 'state-flooded').length).toBeGreaterThan(0);
  });
});

describe('temporal', () => {
  // An a, then a b within an hour, without a c between.
  const rule = temporal({
    ...sightings,
    id: 'a-then-b',
    stretchMs: hourMs,
    conclude: (sights, { key }) =>
      sequencesOf(sights, {
        steps: [({ kind }) => kind === 'a', ({ kind }) => kind === 'b'],
        until: ({ kind }) => kind === 'c',
        withinMs: hourMs,
      }).map((because) => ({
        subject: key,
        occasion: because[0]!.eventId,
        because,
        title: 'A, b',
        summary: '',
      })),
  });
  test('finds the sequences that the definition has, across the ends of stretches', () => {
    expectAsReference(rule, acts(16, 240), (log) =>
      log.flatMap((first) => {
        if (first.kind !== 'a') return [];
        const after = log.filter((act) => act.thing === first.thing && log.indexOf(act) > log.indexOf(first));
        const next = after.find(({ kind }) => kind !== 'a');
        return next?.kind === 'b' && next.minute - first.minute <= 60 ? [`${first.thing} ${first.id}`] : [];
      }),
    );
  });
});

describe('absence', () => {
  // A need (a) by somebody, that nobody else fulfils (b) within half an hour.
  const rule = absence({
    ...sightings,
    id: 'a-without-b',
    observe: (event) => {
      const kind = (event.data as unknown as Record<string, string>)['vcs.ref.head.name'];
      return kind === 'c' ? undefined : { kind: kind === 'a' ? 'needs' : 'fulfils', data: null };
    },
    withinMs: () => 30 * minuteMs,
    graceMs: () => 2 * minuteMs,
    longestMs: hourMs,
    isFor: (one, need) => one.by.id !== need.by.id,
    found: (need) => ({ subject: need.factKey, title: 'No b', summary: '' }),
  });
  test('finds each need that nothing fulfils in time', () => {
    expectAsReference(rule, acts(14, 300), (log) =>
      log.flatMap((need) => {
        const fits = (act: Act) =>
          act.kind === 'b' &&
          act.thing === need.thing &&
          act.by !== need.by &&
          act.minute >= need.minute &&
          act.minute - need.minute <= 30;
        return need.kind === 'a' && !log.some(fits) ? [`${need.thing} ${need.id}`] : [];
      }),
    );
  });

  test('it waits, finds, and takes back what is heard of late', () => {
    const need = eventOf({ kind: 'a', by: 'ada', thing: 'acme/x', minute: 0 }, 0);
    const other = eventOf({ kind: 'c', by: 'ada', thing: 'acme/x', minute: 31 }, 1);
    expect(playTimeline({ rules: [rule], events: [need, other], untilMs: startMs + 31 * minuteMs }).findings).toEqual(
      [],
    );
    const found = playTimeline({ rules: [rule], events: [need, other], untilMs: startMs + 40 * minuteMs });
    expect(found.findings[0]!.detectedAt).toBe(new Date(startMs + 32 * minuteMs).toISOString());
    const [fulfils] = late([eventOf({ kind: 'b', by: 'bob', thing: 'acme/x', minute: 10 }, 2)], 3 * hourMs, () => true);
    const { findings, withdrawn } = playTimeline({
      rules: [rule],
      events: [need, fulfils!],
      untilMs: startMs + 9 * hourMs,
    });
    expect(findings).toEqual([]);
    expect(withdrawn[0]!.reason).toBe('by what was heard since: bob did');
  });
});

describe('firstSeen', () => {
  const named = (name: string) => (event: { data: object }) => {
    const value = (event.data as unknown as Record<string, string>)[name]!;
    return { id: value, name: value };
  };
  const ofTraits = (silenceMs?: number) =>
    firstSeen({
      ...common,
      id: 'new-trait',
      subject: named('vcs.repository.name'),
      trait: named('vcs.ref.head.name'),
      learnMs: () => 60 * minuteMs,
      ...(silenceMs === undefined ? {} : { silenceMs }),
      keepMs: 90 * 24 * hourMs,
      found: ({ of, trait, silentMs }) => ({
        subject: `${of.name} ${trait.name}`,
        title: silentMs ? 'Again' : 'New',
        summary: '',
      }),
    });

  test('finds each trait that first came up after the time of learning', () => {
    const rule = { ...ofTraits(), id: 'new-trait' };
    expectAsReference(rule, acts(14, 400), (log) =>
      ['acme/x', 'acme/y'].flatMap((thing) => {
        const own = log.filter((act) => act.thing === thing);
        return (['a', 'b', 'c'] as const).flatMap((kind) => {
          const first = own.find((act) => act.kind === kind);
          return first !== undefined && first.minute >= own[0]!.minute + 60 ? [`${thing} ${kind} ${kind}`] : [];
        });
      }),
    );
  });

  test('what was silent for long is new again, however the sights between are heard', () => {
    const rule = ofTraits(10 * 24 * hourMs);
    const seen = (day: number, place: number) =>
      eventOf({ kind: 'a', by: 'ada', thing: 'acme/x', minute: day * 1440 }, place);
    expect(standing(rule, [seen(0, 0), seen(9, 1), seen(18, 2)])).toEqual([]);
    expect(standing(rule, [seen(0, 0), seen(30, 1)])).toEqual(['acme/x a a since 2026-04-10']);
    // What lies between is heard last: the trait was never silent.
    const [between] = late([seen(11, 2)], 3 * 24 * hourMs - 1000, () => true);
    const events = [seen(2, 0), seen(12, 1), between!];
    expect(standing(rule, events)).toEqual([]);
  });

  test('nothing is learned from a run of which something was found', () => {
    const ofRuns = (kind: string, minute: number, id: string): LoggedEventInput =>
      at(
        startMs + minute * minuteMs,
        'dev.cdevents.pipelinerun.started',
        {
          ...{ 'user.name': 'ada', 'vcs.repository.name': 'acme/x', 'vcs.ref.head.name': kind },
          ...{ 'cicd.pipeline.run.id': id, 'vcs.ref.head.revision': 'c1' },
        },
        { id: `run-${id}-${minute}` },
      );
    const learner = firstSeen({
      ...common,
      ...{ id: 'new-trait', on: ['dev.cdevents.pipelinerun.started' as const], keepMs: 90 * 24 * hourMs },
      ...{ subject: named('vcs.repository.name'), trait: named('vcs.ref.head.name'), learnMs: () => 24 * hourMs },
      found: ({ of, trait }) => ({ subject: `${of.name} ${trait.name}`, title: 'New', summary: '' }),
    });
    const accuser = match({
      ...common,
      ...{ id: 'run-666', on: ['dev.cdevents.pipelinerun.started' as const] },
      find: ({ data }) =>
        data['cicd.pipeline.run.id'] === '666'
          ? { subject: '666', title: 'It', summary: '', what: 'it', entities: [{ kind: 'run', id: 'acme/x#666' }] }
          : undefined,
    });
    const events = [ofRuns('a', 0, '1'), ofRuns('b', 5, '666'), ofRuns('a', 60, '2'), ofRuns('b', 61, '3')];
    const { findings } = playTimeline({ rules: [accuser, learner], events, untilMs: startMs + 48 * hourMs });
    expect(findings.filter(({ rule }) => rule === 'new-trait').map(({ subject }) => subject)).toEqual(['acme/x b']);
  });

  test('a flood of new traits pushes out nothing that is usual, and is said', () => {
    const rule = ofTraits();
    const event = (kind: string, minute: number, place: number) =>
      eventOf({ kind: kind as 'a', by: 'mallory', thing: 'acme/x', minute }, place);
    const flood = Array.from({ length: 120 }, (_, nth) => event(`t${nth}`, 100 + nth, 10 + nth));
    const events = [event('a', 0, 0), event('b', 5, 1), ...flood, event('a', 400, 500), event('b', 401, 501)];
    const played = playTimeline({ rules: [rule], events, untilMs: startMs + 24 * hourMs });
    const found = played.findings.filter(({ rule: by }) => by === rule.id).map(({ subject }) => subject);
    expect(found).not.toContain('acme/x a');
    expect(found).not.toContain('acme/x b');
    expect(found).toHaveLength(48);
    expect(played.findings.some(({ rule: by }) => by === 'state-flooded')).toBe(true);
  });
});
