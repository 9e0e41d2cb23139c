import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { type Fact, type Observed, thingKey } from '@tripline/contracts/fact';
import { type AnyRule, defineRule } from '@tripline/contracts/rule';
import { keepBounded, observedBy } from '@tripline/facts/bounds';
import { expectSameInAnyOrder } from '@tripline/testing/timeline/any-order';
import {
  at,
  createKept,
  type LoggedEventInput,
  permuted,
  playTimeline,
  runBatch,
  type Timeline,
  toRecords,
} from '@tripline/testing/timeline/play';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createEngine } from './engine.ts';
import type { StateKey } from './keyed-state/keys.ts';
import { configureRule, type Override } from './settings.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const startMs = Date.parse('2026-03-01T00:00:00Z');
const untilMs = startMs + 48 * hourMs;

type Seen = Observed & { by: string; kind: 'created' | 'deleted' };
const observedSchema = z.custom<Observed>();
const nameOf = (event: LoggedEvent) => (event.data as { 'vcs.ref.head.name'?: string })['vcs.ref.head.name'] ?? '';
const key = (name: string) => thingKey('github', 'github.com', `1:branch:${name}`);
const bound = { authorOf: ({ by }: Seen) => by, mostPerAuthor: 3, most: 6 };

/** When a branch came and went. */
const branches: Fact<{ seen: readonly Seen[] }> = {
  id: 'branches',
  description: 'For tests.',
  reads: ['dev.cdevents.branch.created', 'dev.cdevents.branch.deleted'],
  value: z.object({
    seen: z.array(z.intersection(observedSchema, z.object({ by: z.string(), kind: z.enum(['created', 'deleted']) }))),
  }),
  keys: (event) => (nameOf(event) === '' ? [] : [key(nameOf(event))]),
  learn(known, event, at) {
    if (nameOf(event) === 'poison') throw new Error('no such branch');
    const kind = event.type === 'dev.cdevents.branch.created' ? 'created' : 'deleted';
    const by = (event.data as { 'user.name'?: string })['user.name'] ?? '';
    const seen = keepBounded(known?.seen ?? [], { ...observedBy(event), by, kind }, { ...bound, kind }, at);
    return seen === known?.seen ? known : { seen };
  },
  keepMs: 100 * hourMs,
};

const common = {
  title: 'Synthetic',
  description: 'For tests.',
  severity: 'medium',
  confidence: 'high',
  principles: [5],
  attack: ['T1078'],
  owasp: ['CICD-SEC-1'],
  feeds: { needs: ['github'] },
  falseAlarms: [],
  reads: [],
  learns: false,
} as const;
const nothing = { entities: [], response: [], remedy: [] };
const last = (seen: readonly Seen[] | undefined) => seen?.at(-1);
const line = (by: Seen, of: string) => {
  const { trust, by: who, kind, ...evidence } = by;
  return { fact: branches, key: key(of), trust, evidence: { ...evidence, what: `${who} ${kind} ${of}` } };
};

/** A branch stands whose twin, `<name>-gate`, is not there. */
const ungated = defineRule<unknown, unknown>({
  ...common,
  id: 'ungated-branch',
  settings: z.object({}),
  concludes: {
    uses: [branches],
    subjects: ({ key: changed }) => (changed.endsWith('-gate') ? [] : [changed]),
    conclude(subject, { watch, explain }) {
      const name = subject.slice(subject.lastIndexOf(':') + 1);
      const own = last(watch(branches, subject)?.seen);
      if (own?.kind !== 'created') return [];
      const gate = last(watch(branches, key(`${name}-gate`))?.seen);
      if (gate?.kind === 'created') {
        explain(`the gate was made by ${gate.by}`);
        return [];
      }
      return [
        { ...nothing, subject: name, occasion: 'ungated', title: 'No gate', summary: '', because: [line(own, name)] },
      ];
    },
  },
});

/** A branch that stands for ten minutes. */
const lingering = defineRule<unknown, unknown>({
  ...common,
  id: 'lingering-branch',
  settings: z.object({}),
  concludes: {
    uses: [branches],
    subjects: ({ key: changed }) => [changed],
    conclude(subject, { read, recheckAt, nowMs }) {
      const own = last(read(branches, subject)?.seen);
      if (own?.kind !== 'created') return [];
      const dueMs = Date.parse(own.time) + 10 * minuteMs;
      recheckAt(dueMs);
      const name = subject.slice(subject.lastIndexOf(':') + 1);
      if (nowMs < dueMs) return [];
      return [
        { ...nothing, subject: name, occasion: own.eventId, title: 'Lingers', summary: '', because: [line(own, name)] },
      ];
    },
  },
});
const rules: AnyRule[] = [ungated, lingering];

const told = (type: EventType, minute: number, branch: string, by: string, more = {}): LoggedEventInput =>
  at(
    startMs + minute * minuteMs,
    type as 'dev.cdevents.branch.created',
    { 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': branch, 'user.name': by },
    more,
  );
const created = (minute: number, branch: string, by = 'ada', more = {}) =>
  told('dev.cdevents.branch.created', minute, branch, by, more);
const deleted = (minute: number, branch: string, by = 'ada', more = {}) =>
  told('dev.cdevents.branch.deleted', minute, branch, by, more);
const play = (events: LoggedEventInput[], more: Partial<Timeline> = {}) =>
  playTimeline({ rules, events, untilMs, ...more });
const found = (played: { findings: { rule: string; subject: string }[] }) =>
  played.findings.map(({ rule, subject }) => `${rule} ${subject}`).sort();

describe('what rules conclude from facts', () => {
  test('is found, with its evidence, confidence and deciding event from what it rests on', () => {
    const { findings, poison } = play([created(0, 'a', 'ada', { trust: 'medium' })], { rules: [ungated] });
    expect(poison).toEqual([]);
    expect(findings).toMatchObject([
      {
        rule: 'ungated-branch',
        subject: 'a',
        occasion: 'ungated',
        confidence: 'medium',
        severity: 'medium',
        decidingEvent: 'event-1',
        evidence: [{ eventId: 'event-1', what: 'ada created a' }],
      },
    ]);
  });

  test('is taken back with the reason that the rule gives, when a value that it watches explains it', () => {
    const { findings, retracted } = play([created(0, 'a'), created(5, 'a-gate', 'bob')], { rules: [ungated] });
    expect(findings).toEqual([]);
    expect(retracted).toMatchObject([{ reason: 'the gate was made by bob' }]);
  });

  test('comes at the time at which the subject is to be concluded anew, and not when it is not so any more', () => {
    const events = [created(0, 'a'), created(0, 'b'), deleted(9, 'b')];
    const played = play(events, { rules: [lingering] });
    expect(found(played)).toEqual(['lingering-branch a']);
    expect(played.findings[0]!.detectedAt).toBe(new Date(startMs + 10 * minuteMs).toISOString());
    expect(played.rows.timers).toBe(0);
  });

  test('is held while something may yet explain it, and what stands is left as it is', () => {
    /** Found at once, ten minutes later where somebody made `<name>-gate`, and not at all where `<name>-wall` says nothing for sure. */
    const held = defineRule<unknown, unknown>({
      ...common,
      id: 'held-branch',
      settings: z.object({}),
      concludes: {
        uses: [branches],
        subjects: ({ key: changed }) => (/-(?:gate|wall)$/.test(changed) ? [] : [changed]),
        conclude(subject, { watch }) {
          const name = subject.slice(subject.lastIndexOf(':') + 1);
          const own = watch(branches, subject)?.seen.find(({ kind }) => kind === 'created');
          if (own === undefined) return [];
          const gate = last(watch(branches, key(`${name}-gate`))?.seen);
          const isWalled = watch(branches, key(`${name}-wall`)) !== undefined;
          const waitMs = gate === undefined ? 0 : Date.parse(own.time) + 10 * minuteMs;
          const finding = { ...nothing, subject: name, occasion: 'held', title: 'Held', summary: gate?.by ?? '' };
          const heldUntilMs = isWalled ? Number.POSITIVE_INFINITY : waitMs;
          return [{ ...finding, because: [line(own, name)], heldUntilMs }];
        },
      },
    });
    const at = (minutes: number, ...events: LoggedEventInput[]) =>
      play(events, { rules: [held], untilMs: startMs + minutes * minuteMs });
    expect(found(at(5, created(0, 'a')))).toEqual(['held-branch a']);
    expect(found(at(5, created(0, 'a'), created(1, 'a-gate')))).toEqual(['held-branch a']);
    expect(found(at(5, created(1, 'a-gate'), created(2, 'a')))).toEqual([]);
    expect(at(20, created(1, 'a-gate'), created(2, 'a')).findings).toMatchObject([
      { subject: 'a', detectedAt: new Date(startMs + 12 * minuteMs).toISOString() },
    ]);
    expect(found(at(20, created(0, 'a-wall'), created(1, 'a')))).toEqual([]);
    const walled = at(20, created(0, 'a'), created(1, 'a-wall'), created(2, 'a-gate'));
    expect(found(walled)).toEqual(['held-branch a']);
    expect(walled.rows.timers).toBe(0);
  });

  test('holds in any order, doubled, late and restarted', () => {
    const events = [
      created(0, 'a'),
      created(3, 'a-gate'),
      created(4, 'b'),
      deleted(8, 'a'),
      created(20, 'a', 'eve'),
      deleted(21, 'a-gate', 'eve'),
    ];
    expectSameInAnyOrder({ rules, events, untilMs }, [
      'ungated-branch a ungated',
      'ungated-branch b ungated',
      'lingering-branch a timeline-5',
      'lingering-branch b timeline-3',
    ]);
  });

  test('is the same however the log is cut into batches, and however often the detector restarts', () => {
    const step = fc.record({
      minute: fc.integer({ min: 0, max: 40 }),
      branch: fc.constantFrom('a', 'b', 'a-gate', 'b-gate'),
      deletes: fc.boolean(),
      by: fc.constantFrom('ada', 'eve'),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 7 }),
        (steps, batchRecords) => {
          const events = steps.map(({ minute, branch, deletes, by }) =>
            (deletes ? deleted : created)(minute, branch, by),
          );
          const whole = play(events);
          expect(whole.poison).toEqual([]);
          for (const other of [
            play(events, { batchRecords }),
            play(events, { restartAfterEach: true }),
            play(events, { duplicated: true }),
          ]) {
            expect(other.all.map(({ id, detectedAt }) => [id, detectedAt])).toEqual(
              whole.all.map(({ id, detectedAt }) => [id, detectedAt]),
            );
            expect(found(other)).toEqual(found(whole));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('evaluates a batch once where what it reads is in memory, and says the same', () => {
    const events = [created(0, 'a'), created(1, 'b'), created(2, 'a-gate'), deleted(3, 'a-gate'), deleted(4, 'b')];
    const kept = createKept();
    const options = { rules: rules.map((rule) => configureRule(rule)), learningDays: 0, cachedKeys: 1 };
    const peek = (key: StateKey) => kept.read([key])[0] ?? null;
    for (const record of toRecords({ events })) {
      const engine = createEngine({ ...options, peek }, kept.snapshot());
      const keys = engine.plan({ records: [record], caughtUpAtMs: null });
      engine.hold(keys, kept.read(keys));
      const result = engine.evaluate();
      if ('missing' in result) throw new Error('it is evaluated again');
      kept.keep(result.effects);
    }
    kept.keep(runBatch(createEngine(options, kept.snapshot()), { records: [], caughtUpAtMs: untilMs }, kept.read));
    expect(found(kept.played())).toEqual(found(play(events)));
  });

  test('costs no row where nothing stands and nothing is watched', () => {
    const settled = play([created(0, 'a'), deleted(1, 'a')], { rules: [lingering] });
    // The workspace's own and the branch's.
    expect(settled.rows.state).toBe(2);
  });
});

describe('bounds', () => {
  const noise = (from: number, count: number, by: string) =>
    Array.from({ length: count }, (_, nth) => created(from + nth, 'a', by));

  test('what a standing finding rests on is pinned, until too much is', () => {
    const each = defineRule<unknown, unknown>({
      ...common,
      id: 'each-of-eve',
      settings: z.object({}),
      concludes: {
        uses: [branches],
        subjects: ({ key: changed }) => [changed],
        conclude: (subject, { read }) =>
          (read(branches, subject)?.seen ?? [])
            .filter(({ by }) => by === 'eve')
            .map((seen) => ({
              ...{
                ...nothing,
                subject: 'a',
                occasion: seen.eventId,
                title: 'Eve',
                summary: '',
                because: [line(seen, 'a')],
              },
            })),
      },
    });
    const { retracted, findings } = play([...noise(0, 20, 'eve'), ...noise(30, 20, 'ada'), ...noise(60, 100, 'eve')], {
      rules: [each],
    });
    expect(retracted).toEqual([]);
    expect(findings.filter(({ rule }) => rule === 'each-of-eve')).toHaveLength(120);
  });

  test('reaching one is one low finding, and makes what is concluded from it less sure', () => {
    const { findings } = play([...noise(0, 8, 'eve'), created(10, 'b', 'eve')], { rules: [ungated] });
    expect(findings.filter(({ rule }) => rule === 'state-flooded')).toMatchObject([
      { severity: 'low', subject: 'branches created eve', occasion: 'bound reached' },
    ]);
    const later = play([...noise(0, 8, 'eve'), deleted(10, 'a'), created(11, 'a', 'bob')], { rules: [lingering] });
    expect(later.findings.find(({ occasion }) => occasion === 'event-10')).toMatchObject({ confidence: 'medium' });
    expect(play([created(0, 'a')], { rules: [lingering] }).findings[0]).toMatchObject({ confidence: 'high' });
  });
});

describe('a finding that is found again', () => {
  const pair = defineRule<unknown, unknown>({
    ...common,
    id: 'many-of-one',
    settings: z.object({}),
    concludes: {
      uses: [branches],
      subjects: ({ key: changed }) => [changed],
      conclude(subject, { read }) {
        const seen = read(branches, subject)?.seen ?? [];
        if (seen.length === 0) return [];
        const entities = [...new Set(seen.map(({ by }) => by))].map((id) => ({ kind: 'user' as const, id }));
        const severity = seen.length > 2 ? ('critical' as const) : ('low' as const);
        const because = seen.map((one) => line(one, 'a'));
        return [
          {
            ...nothing,
            subject: 'a',
            occasion: 'all',
            title: `${seen.length}`,
            summary: '',
            entities,
            severity,
            because,
          },
        ];
      },
    },
  });
  const events = [created(0, 'a', 'ada'), created(1, 'a', 'eve'), created(2, 'a', 'eve')];

  test('grows by evidence, entities and severity, and says what is new', () => {
    const { findings, changes } = play(events, { rules: [pair] });
    expect(
      changes.map(({ kind, severity, entities, evidence }) => [kind, severity, entities?.length, evidence?.length]),
    ).toEqual([
      ['grown', undefined, 1, 1],
      ['grown', 'critical', 0, 1],
    ]);
    expect(findings).toMatchObject([{ severity: 'critical', title: '3', entities: [{ id: 'ada' }, { id: 'eve' }] }]);
    expect(findings[0]!.evidence.map(({ eventId }) => eventId)).toEqual(['event-1', 'event-2', 'event-3']);
  });

  test('comes to the same in any order', () => {
    const random = [0.1, 0.9, 0.4, 0.7];
    const shuffled = permuted(events, () => random.shift() ?? 0.5);
    const [one] = play(shuffled, { rules: [pair] }).findings;
    const [other] = play(events, { rules: [pair], restartAfterEach: true }).findings;
    const told = (finding = one) => [
      finding!.severity,
      finding!.evidence.map(({ eventId }) => eventId),
      finding!.entities.map(({ id }) => id).sort(),
    ];
    expect(told()).toEqual(told(other));
  });

  test('stays as grave as it was', () => {
    const { findings } = play([...events, deleted(3, 'b'), created(4, 'b')], { rules: [pair, lingering] });
    expect(findings.find(({ rule }) => rule === 'many-of-one')).toMatchObject({ severity: 'critical' });
  });
});

describe('a verdict whose facts are gone', () => {
  test('is frozen: neither grown nor taken back', () => {
    // What is known of the branch expires before the gate is made.
    const events = [created(0, 'a'), created(200 * 60, 'a-gate', 'bob')];
    const { findings, retracted } = play(events, {
      rules: [{ ...ungated, rememberMs: 1000 * hourMs }],
      untilMs: startMs + 300 * hourMs,
    });
    expect(retracted).toEqual([]);
    expect(findings.map(({ subject }) => subject)).toEqual(['a']);
  });
});

describe('who watches', () => {
  test('is bounded for each author: the latest do, unless something stands of all, and then it is said', () => {
    const watching = defineRule<unknown, unknown>({
      ...common,
      id: 'watching',
      settings: z.object({}),
      concludes: {
        uses: [branches],
        subjects: ({ key: changed }) => (changed.endsWith(':hub') ? [] : [changed]),
        conclude(subject, { watch }) {
          const hub = last(watch(branches, key('hub'))?.seen);
          if (hub?.kind !== 'created') return [];
          return [{ ...nothing, subject, occasion: 'hub', title: 'Hub', summary: '', because: [line(hub, 'hub')] }];
        },
      },
    });
    const many = Array.from({ length: 110 }, (_, nth) => created(nth, `b${nth}`, 'eve'));
    const play110 = (first: Parameters<typeof play>[0]) =>
      play([...first, created(-1, 'other', 'ada'), ...many, created(200, 'hub', 'bob')], { rules: [watching] });
    const { findings, poison } = play110([]);
    expect(poison).toEqual([]);
    const subjects = findings.filter(({ rule }) => rule === 'watching').map(({ subject }) => subject);
    expect(subjects).toHaveLength(101);
    expect(subjects).toContain(key('other'));
    expect(subjects).toContain(key('b109'));
    expect(subjects).not.toContain(key('b9'));
    expect(findings.filter(({ rule }) => rule === 'state-flooded')).toEqual([]);
    // Of each that watches something stands now, so that none of them leaves.
    const standing = play110([created(-2, 'hub', 'bob')]);
    expect(standing.findings).toContainEqual(
      expect.objectContaining({ rule: 'state-flooded', subject: 'branches watching eve' }),
    );
  });
});

describe('what cannot concern a rule', () => {
  test('who watches a value is not asked of a change that does not matter to it', () => {
    const asked: string[] = [];
    const watching = (matters?: () => boolean) =>
      defineRule<unknown, unknown>({
        ...common,
        id: 'watching',
        settings: z.object({}),
        concludes: {
          uses: [branches],
          ...(matters === undefined ? {} : { matters }),
          subjects: ({ key: changed }) => (changed.endsWith(':hub') ? [] : [changed]),
          conclude(subject, { watch, nowMs }) {
            watch(branches, key('hub'));
            asked.push(`${subject} ${nowMs}`);
            return [];
          },
        },
      });
    const events = [created(0, 'a'), created(1, 'hub'), deleted(2, 'hub')];
    const asksOf = (rule: AnyRule) => {
      play(events, { rules: [rule] });
      return new Set(asked.splice(0)).size;
    };
    expect([asksOf(watching()), asksOf(watching(() => false)), asksOf(watching(() => true))]).toEqual([3, 1, 3]);
  });

  test('a subject of which nothing can begin is not asked and not looked up, and what stands of it stands on', () => {
    const asked: string[] = [];
    const gates: Fact<{ seen: readonly Seen[] }> = {
      ...branches,
      id: 'gates',
      keys: (event) => branches.keys(event).filter((one) => one.endsWith('-gate')),
      keepMs: 10 * hourMs,
    };
    const beginning = defineRule<unknown, unknown>({
      ...common,
      id: 'beginning',
      settings: z.object({}),
      rememberMs: 1000 * hourMs,
      concludes: {
        uses: [branches, gates],
        begins: { facts: [gates], key: (subject) => `${subject}-gate` },
        subjects: ({ key: changed }) => [changed.replace(/-gate$/, '')],
        conclude(subject, { read }) {
          asked.push(subject);
          const gate = last(read(gates, `${subject}-gate`)?.seen);
          if (gate === undefined || read(branches, subject) === undefined) return [];
          const because = [{ ...line(gate, 'a-gate'), fact: gates, key: `${subject}-gate` }];
          return [{ ...nothing, subject: 'a', occasion: gate.eventId, title: 'Begun', summary: '', because }];
        },
      },
    });
    const timeline = { rules: [beginning], untilMs: startMs + 100 * hourMs };
    const idle = play([created(0, 'a'), deleted(1, 'a')], timeline);
    expect(asked).toEqual([]);
    // The workspace's own and the branch's.
    expect(idle.rows.state).toBe(2);
    const begun = play([created(0, 'a'), created(1, 'a-gate')], timeline);
    expect(begun.findings).toMatchObject([{ rule: 'beginning', subject: 'a' }]);
    const asks = asked.splice(0);
    // What is known of the gate expires before more is received of the branch.
    const gone = play([created(0, 'a'), created(1, 'a-gate'), deleted(50 * 60, 'a')], timeline);
    expect(asked).toEqual(asks);
    expect(gone).toMatchObject({ findings: [{ rule: 'beginning', subject: 'a' }], retracted: [], poison: [] });
  });

  test('a fact that it is not about asks it for no subjects, and whoever watches a value of it is asked all the same', () => {
    const asked: string[] = [];
    const tags: Fact<{ seen: readonly Seen[] }> = { ...branches, id: 'tags' };
    const about = defineRule<unknown, unknown>({
      ...common,
      id: 'about-tags',
      settings: z.object({}),
      concludes: {
        uses: [tags, branches],
        about: [tags],
        subjects({ fact, key: changed }) {
          asked.push(fact);
          return changed.endsWith('-gate') ? [] : [changed];
        },
        conclude: ungated.concludes!.conclude,
      },
    });
    const watching = { ...about, concludes: { ...about.concludes!, uses: [tags, branches] } };
    const events = [created(0, 'a'), created(1, 'a-gate')];
    const played = play(events, { rules: [watching] });
    expect(new Set(asked)).toEqual(new Set(['tags']));
    expect(found(played)).toEqual(found(play(events, { rules: [ungated] })));
    expect(played.findings).toEqual([]);
    expect(played.all).toMatchObject([{ subject: 'a' }]);
  });

  test('an event without what facts need of its type is not parsed; it is known by its id, and makes its workspace known', () => {
    const needy: Fact<{ seen: readonly Seen[] }> = {
      ...branches,
      passesOver: { 'dev.cdevents.branch.deleted': { without: ['user.name'] } },
    };
    const concludes = { ...ungated.concludes!, uses: [needy], conclude: () => [] };
    const rule = { ...ungated, concludes };
    const engine = createEngine({ rules: [configureRule(rule)], learningDays: 0 }, createKept().snapshot());
    const [one, other] = toRecords({ events: [deleted(0, 'a'), deleted(1, 'b', 'eve', { id: 'other' })] });
    const unreadable = { ...one!, value: Buffer.from('{"vcs.ref.head.name": a}') };
    const records = [unreadable, { ...unreadable, offset: 2 }, other!];
    const effects = runBatch(engine, { records, caughtUpAtMs: null }, () => []);
    expect(effects).toMatchObject({ newWorkspaces: ['acme'], poison: [], counts: { records: 3, duplicates: 1 } });
    expect(effects.state.map(({ key: of }) => of)).toContain(key('b'));
    expect(effects.state.map(({ key: of }) => of)).not.toContain(key('a'));
    engine.commit();
    // What has no id that it could be known by, or is cut off, is set aside as ever.
    const { ce_id, ...headers } = unreadable.headers;
    const nameless = { ...unreadable, headers, offset: 3 };
    const cutOff = {
      ...unreadable,
      headers: { ...headers, ce_id: `${ce_id}-2` },
      value: Buffer.from('{"vcs'),
      offset: 4,
    };
    const { poison } = runBatch(engine, { records: [nameless, cutOff], caughtUpAtMs: null }, () => []);
    expect(poison).toMatchObject([
      { reason: 'header ce_id is missing' },
      { reason: 'the value is no valid JSON', record: { offset: 4 } },
    ]);
  });
});

describe('what throws', () => {
  test('is dead-lettered by its name, and stops nothing else', () => {
    const broken = defineRule<unknown, unknown>({
      ...common,
      id: 'broken',
      settings: z.object({}),
      concludes: {
        uses: [branches],
        subjects: ({ key: changed }) => [changed],
        conclude: () => {
          throw new Error('out of order');
        },
      },
    });
    const { findings, poison } = play([created(0, 'poison'), created(1, 'a')], { rules: [broken, ungated] });
    expect(poison).toMatchObject([
      { rule: 'fact:branches', reason: 'no such branch', record: { offset: 0 } },
      { rule: 'broken', reason: 'out of order', record: { offset: 1 } },
    ]);
    expect(found({ findings })).toEqual(['ungated-branch a']);
  });

  test('two facts of one id are refused', () => {
    const other = { ...ungated, id: 'other', concludes: { ...ungated.concludes!, uses: [{ ...branches }] } };
    expect(() => play([], { rules: [ungated, other] })).toThrow('other uses another fact branches');
  });
});

describe('a delivery that nobody vouched for', () => {
  const body = { bodySha256: 'ab'.repeat(32) };
  const first = [created(-9, 'a-gate'), created(-8, 'a', 'ada', body), deleted(-7, 'a'), deleted(-6, 'a-gate')];
  const again = [...first, created(2, 'a', 'eve', { ...body, id: 'again' })];
  const answer = (minute: number, proof: 'listed' | 'not-listed' | 'unavailable') =>
    at(startMs + minute * minuteMs, 'dev.cdeventsx.tripline-delivery.looked-up', {
      'tripline.delivery.id': 'again',
      'tripline.delivery.proof': proof,
    } as never);

  test('gives rise to findings that are marked, and to nothing else until it is proved', () => {
    const waiting = play(again, { rules: [ungated], untilMs: startMs + 3 * minuteMs });
    expect(waiting.findings).toMatchObject([{ subject: 'a', unproven: true }]);
    const proved = play([...again, answer(4, 'listed')], { rules: [ungated], untilMs: startMs + 5 * minuteMs });
    expect(proved.findings.map(({ subject, unproven }) => [subject, unproven])).toEqual([['a', undefined]]);
    const refuted = play([...again, answer(4, 'not-listed')], { rules: [ungated], untilMs: startMs + 5 * minuteMs });
    expect(refuted.findings).toMatchObject([{ subject: 'a', severity: 'low', unproven: true }]);
  });

  test('is judged in full by whoever goes on with the log, whatever else falls due then', () => {
    const told = [created(0, 'a', 'ada', body), created(2, 'a', 'ada', { ...body, id: 'again' })];
    for (const proof of ['listed', 'unavailable'] as const) {
      const events = [...told, answer(4, proof), created(11, 'b')];
      for (const batchRecords of [1, 2, 3, 4]) {
        const played = play(events, { rules: [lingering], batchRecords, restartAfterEach: true });
        expect(played.findings.map(({ occasion }) => occasion)).toEqual(['again', 'event-4']);
      }
    }
  });

  test('takes nothing back: what it would explain falls to low', () => {
    const told = [created(-9, 'a-gate', 'ada', body), deleted(-8, 'a-gate'), created(0, 'a')];
    const late = created(3, 'a-gate', 'eve', { ...body, id: 'again' });
    const before = play([...told, late], { rules: [ungated], untilMs: startMs + 4 * minuteMs });
    expect(before.findings).toMatchObject([{ subject: 'a', severity: 'medium' }]);
    const given = play([...told, late], { rules: [ungated] });
    expect(given.findings).toMatchObject([{ subject: 'a', severity: 'low' }]);
    for (const minute of [4, 20, 40 * 60]) {
      for (const batchRecords of [1, 100]) {
        const vouched = play([...told, late, answer(minute, 'listed')], { rules: [ungated], batchRecords });
        expect(vouched.findings).toEqual([]);
      }
    }
    for (const batchRecords of [1, 100]) {
      const refuted = play([...told, late, answer(20, 'not-listed')], { rules: [ungated], batchRecords });
      expect(refuted.findings).toMatchObject([{ subject: 'a', severity: 'medium' }]);
      expect(refuted.changes.map(({ kind, raised }) => [kind, raised])).toEqual([
        ['lowered', undefined],
        ['grown', true],
      ]);
    }
  });

  test('hides nothing once it is refuted: what came after it was judged for want of an answer is found then', () => {
    const told = [created(-9, 'a-gate', 'ada', body), deleted(-8, 'a-gate')];
    const late = created(0, 'a-gate', 'eve', { ...body, id: 'again' });
    const events = [...told, late, created(20, 'a')];
    for (const batchRecords of [1, 100]) {
      expect(play(events, { rules: [ungated], batchRecords }).findings).toEqual([]);
      const refuted = play([...events, answer(40, 'not-listed')], { rules: [ungated], batchRecords });
      expect(refuted.findings).toMatchObject([{ subject: 'a', severity: 'medium' }]);
      expect(play([...events, answer(40, 'listed')], { rules: [ungated], batchRecords }).findings).toEqual([]);
    }
  });

  test('makes no finding less than it is where what had lowered it is taken back, and it is found again', () => {
    const told = [created(-9, 'a-gate', 'ada', body), deleted(-8, 'a-gate'), created(0, 'a')];
    const late = created(3, 'a-gate', 'eve', { ...body, id: 'again' });
    const events = [...told, late, answer(20, 'listed')];
    expect(play(events, { rules: [ungated] }).findings).toEqual([]);
    const { findings } = play([...events, deleted(30, 'a-gate')], { rules: [ungated] });
    expect(findings).toMatchObject([{ subject: 'a', severity: 'medium' }]);
  });

  test('is asked for again by the rules that asked what speaks against it, whenever the answer comes', () => {
    /** Finds a branch, and says what speaks against the gate. */
    const asking = defineRule<unknown, unknown>({
      ...common,
      id: 'asking',
      settings: z.object({}),
      concludes: {
        uses: [branches],
        subjects: ({ key: changed }) => (changed.endsWith('-gate') ? [] : [changed]),
        conclude(subject, { watch, doubtOf }) {
          const name = subject.slice(subject.lastIndexOf(':') + 1);
          const own = last(watch(branches, subject)?.seen);
          const gate = last(watch(branches, key(`${name}-gate`))?.seen);
          if (own === undefined) return [];
          const doubt = gate === undefined ? 'none' : (doubtOf(gate.eventId) ?? 'proved');
          return [
            { ...nothing, subject: name, occasion: doubt, title: doubt, summary: '', because: [line(own, name)] },
          ];
        },
      },
    });
    const told = [
      created(-9, 'a-gate', 'ada', body),
      created(0, 'a'),
      created(3, 'a-gate', 'eve', { ...body, id: 'again' }),
    ];
    const occasions = (events: LoggedEventInput[]) =>
      play(events, { rules: [asking] }).findings.map(({ occasion, severity }) => `${occasion} ${severity}`);
    // What nobody vouched for takes nothing back, so what stood before stands at low.
    expect(occasions(told)).toEqual(['proved low', 'unproven medium']);
    expect(occasions([...told, answer(20, 'listed')])).toEqual(['proved medium']);
    // What is none of the provider's is shown to nobody.
    expect(occasions([...told, answer(20, 'not-listed')])).toEqual(['proved medium']);
  });
});

describe('overrides', () => {
  const severe = defineRule<unknown, { word: string }>({
    ...common,
    id: 'severe',
    reads: ['dev.cdevents.branch.created'],
    settings: z.strictObject({ word: z.string().default('usual') }),
    judge: (_, { find, settings }) =>
      find({
        ...nothing,
        subject: settings.word,
        title: '',
        summary: '',
        evidence: [],
        confidence: 'high',
        severity: 'critical',
      }),
  });
  const say = (overrides: Override[], workspace = 'acme') => {
    const kept = createKept();
    const rules = [configureRule(severe, { word: 'written' }, overrides)];
    const engine = createEngine({ rules, learningDays: 0 }, kept.snapshot());
    const records = toRecords({ events: [created(0, 'a', 'ada', { workspace })] });
    kept.keep(runBatch(engine, { records, caughtUpAtMs: null }, kept.read));
    return kept.played().findings.map(({ subject, severity }) => [subject, severity]);
  };

  test('say otherwise of severity and settings, in one workspace or in all', () => {
    expect(say([])).toEqual([['written', 'critical']]);
    const all: Override = { rule: 'severe', severity: 'low', settings: { word: 'all' } };
    const own: Override = { rule: 'severe', workspace: 'acme', severity: 'medium', settings: { word: 'own' } };
    for (const both of [
      [all, own],
      [own, all],
    ]) {
      expect(say(both)).toEqual([['own', 'medium']]);
      expect(say(both, 'other')).toEqual([['all', 'low']]);
    }
    expect(say([{ ...all, rule: 'another' }])).toEqual([['written', 'critical']]);
    expect(() => say([{ rule: 'severe', settings: { unknown: 1 } }])).toThrow('unknown');
  });
});
