import type { LoggedEvent } from '@tripline/contracts/event';
import { receiverWorkspace } from '@tripline/contracts/event';
import { type AnyRule, defineRule } from '@tripline/contracts/rule';
import {
  at,
  createKept,
  type LoggedEventInput,
  late,
  permuted,
  playTimeline,
  runBatch,
  toRecords,
} from '@tripline/testing/timeline/play';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createEngine } from './engine.ts';
import { configureRule } from './settings.ts';

const minuteMs = 60_000;
const startMs = Date.parse('2026-03-01T00:00:00Z');

const named = (branch: string) => ({ 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': branch });
const pushed = (
  atMs: number,
  branch: string,
  more: { id?: string; workspace?: string; bodySha256?: string } = {},
): LoggedEventInput => at(atMs, 'dev.cdevents.branch.created', named(branch), more);
const deleted = (atMs: number, branch: string): LoggedEventInput =>
  at(atMs, 'dev.cdevents.branch.deleted', named(branch));

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
  reads: ['dev.cdevents.branch.created', 'dev.cdevents.branch.deleted'],
  learns: false,
} as const;
const settings = z.object({ holdMs: z.number().default(2 * minuteMs) });
const nothing = { evidence: [], entities: [], response: [], remedy: [], confidence: 'high' } as const;
const branchOf = (event: { data: { 'vcs.ref.head.name'?: string } }) => event.data['vcs.ref.head.name']!;

/** A branch that is not deleted within two minutes of its creation; a deletion that shows up later takes it back. */
const lingering = defineRule<{ createdMs?: number | undefined; deletedMs?: number | undefined }, { holdMs: number }>({
  ...common,
  id: 'lingering-branch',
  settings,
  state: z.object({ createdMs: z.number().optional(), deletedMs: z.number().optional() }),
  keys: (event) => [`branch:${branchOf(event as never)}`],
  judge(event, context) {
    const branch = branchOf(event as never);
    const key = `branch:${branch}`;
    const known = context.get(key) ?? {};
    const happenedMs = Date.parse(event.time);
    const next =
      event.type === 'dev.cdevents.branch.created'
        ? { ...known, createdMs: Math.max(known.createdMs ?? 0, happenedMs) }
        : { ...known, deletedMs: Math.max(known.deletedMs ?? 0, happenedMs) };
    context.set(key, next, 72 * 60 * minuteMs);
    if (next.deletedMs !== undefined) {
      context.clearTimer(branch);
      context.retract({ subject: branch, occasion: 'lingering', reason: 'it was deleted' });
    } else if (next.createdMs !== undefined) {
      context.setTimer({ id: branch, dueMs: next.createdMs + context.settings.holdMs, keys: [key, `count:${branch}`] });
    }
  },
  due(timer, context) {
    if (context.get(timer.keys[0]!)?.deletedMs !== undefined) return;
    context.set(timer.keys[1]!, {}, minuteMs);
    const decidedBy = { eventId: 'timer', time: new Date(timer.dueMs).toISOString() };
    context.find({ ...nothing, subject: timer.id, occasion: 'lingering', title: 'It stays', summary: '', decidedBy });
  },
});

/** Every third branch that is created. */
const third = defineRule<{ count: number }, unknown>({
  ...common,
  id: 'third-branch',
  reads: ['dev.cdevents.branch.created'],
  settings: z.object({}),
  state: z.object({ count: z.number() }),
  keys: () => ['count'],
  judge(event, context) {
    const count = (context.get('count')?.count ?? 0) + 1;
    context.set('count', { count }, 60 * minuteMs);
    if (count % 3 === 0)
      context.find({ ...nothing, subject: `${count}`, title: 'Third', summary: branchOf(event as never) });
  },
});

const rules: AnyRule[] = [lingering, third];
const ids = (played: { findings: { id: string }[] }) => played.findings.map(({ id }) => id).sort();

const timelineOf = fc
  .array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 3 * minuteMs }),
      branch: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      deletes: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((steps) => {
    let atMs = startMs;
    return steps.map(({ gapMs, branch, deletes }) => {
      atMs += gapMs;
      return deletes ? deleted(atMs, branch) : pushed(atMs, branch);
    });
  });
const untilMs = startMs + 24 * 60 * minuteMs;

describe('the same log gives the same findings', () => {
  test('however it is cut into batches', () => {
    fc.assert(
      fc.property(timelineOf, fc.integer({ min: 1, max: 7 }), (events, batchRecords) => {
        const whole = playTimeline({ rules, events, untilMs });
        const cut = playTimeline({ rules, events, untilMs, batchRecords });
        expect(cut.all).toEqual(whole.all);
        expect(cut.retracted).toEqual(whole.retracted);
        expect(whole.poison).toEqual([]);
      }),
    );
  });

  test('restarted after every event', () => {
    fc.assert(
      fc.property(timelineOf, (events) => {
        const whole = playTimeline({ rules, events, untilMs });
        const restarted = playTimeline({ rules, events, untilMs, restartAfterEach: true });
        expect(restarted.all).toEqual(whole.all);
        expect(restarted.retracted).toEqual(whole.retracted);
      }),
    );
  });

  test('every event delivered twice', () => {
    fc.assert(
      fc.property(timelineOf, fc.boolean(), (events, restartAfterEach) => {
        const once = playTimeline({ rules, events, untilMs });
        const twice = playTimeline({ rules, events, untilMs, duplicated: true, restartAfterEach });
        expect(twice.all).toEqual(once.all);
      }),
    );
  });

  test('in another order, or late, for a rule that takes back what late evidence explains', () => {
    const events = [pushed(startMs, 'a'), deleted(startMs + minuteMs, 'a'), pushed(startMs + 2 * minuteMs, 'b')];
    const inOrder = playTimeline({ rules: [lingering], events, untilMs });
    expect(inOrder.findings.map(({ subject }) => subject)).toEqual(['b']);
    fc.assert(
      fc.property(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (draws) => {
        const random = () => draws.next().value!;
        const played = playTimeline({ rules: [lingering], events: permuted(events, random), untilMs });
        expect(ids(played)).toEqual(ids(inOrder));
      }),
    );
    const played = playTimeline({
      rules: [lingering],
      events: late(events, 60 * minuteMs, (_, at) => at === 1),
      untilMs,
    });
    expect(ids(played)).toEqual(ids(inOrder));
    expect(played.retracted.map(({ finding, reason }) => [finding.subject, reason])).toEqual([['a', 'it was deleted']]);
  });
});

test('a rule is asked for the values that its `where` names, as if its keys passed over all others', () => {
  /** Each finds every branch of its own; `a` is wanted by three of them, in this order. */
  const finds = (id: string, oneOf: string[] | null, byWhere: boolean) =>
    defineRule<unknown, unknown>({
      ...common,
      id,
      ...(oneOf !== null && byWhere ? { where: { attribute: 'vcs.ref.head.name', oneOf } } : {}),
      settings: z.object({}),
      state: z.unknown(),
      keys: (event) => (oneOf === null || oneOf.includes(branchOf(event as never)) ? ['nothing'] : []),
      judge: (event, context) =>
        context.find({ ...nothing, subject: `${id} ${branchOf(event as never)}`, title: 'A branch', summary: '' }),
    });
  const all = (byWhere: boolean) => [
    finds('of-a-and-b', ['a', 'b', 'a'], byWhere),
    finds('of-all', null, byWhere),
    finds('of-a', ['a'], byWhere),
    finds('of-none', ['none'], byWhere),
  ];
  const subjectsOf = (byWhere: boolean, events: readonly LoggedEventInput[]) =>
    playTimeline({ rules: all(byWhere), events, untilMs }).findings.map(({ subject }) => subject);
  expect(subjectsOf(true, [pushed(startMs, 'a'), pushed(startMs, 'c')])).toEqual([
    'of-a-and-b a',
    'of-all a',
    'of-a a',
    'of-all c',
  ]);
  fc.assert(
    fc.property(timelineOf, (events) => {
      expect(subjectsOf(true, events)).toEqual(subjectsOf(false, events));
    }),
  );
});

describe('what the engine itself keeps', () => {
  const seenBranch = (learns: boolean) =>
    defineRule<unknown, unknown>({
      ...common,
      id: 'any-branch',
      learns,
      reads: ['dev.cdevents.branch.created'],
      settings: z.object({}),
      state: z.unknown(),
      keys: () => ['nothing'],
      judge: (event, context) =>
        context.find({ ...nothing, subject: branchOf(event as never), title: 'A branch', summary: '' }),
    });
  const subjects = (played: { findings: { subject: string }[] }) => played.findings.map(({ subject }) => subject);
  const dayMs = 24 * 60 * minuteMs;

  test('a rule that learns finds nothing until its days are over, or an inventory is whole', () => {
    const part = (atMs: number, number: number) =>
      at(atMs, 'dev.cdeventsx.tripline-inventory.observed', {
        'tripline.inventory.part': number,
        'tripline.inventory.parts': 2,
      });
    const events = [pushed(startMs, 'first'), pushed(startMs + dayMs, 'second'), pushed(startMs + 2 * dayMs, 'third')];
    const learning = { rules: [seenBranch(true)], untilMs: startMs + 3 * dayMs, learningDays: 2 };
    expect(subjects(playTimeline({ ...learning, events }))).toEqual(['third']);
    expect(subjects(playTimeline({ ...learning, events: [...events, part(startMs + 1, 2)] }))).toEqual(['third']);
    const whole = [...events, part(startMs + 1, 2), part(startMs + 2, 1)];
    expect(subjects(playTimeline({ ...learning, events: whole }))).toEqual(['second', 'third']);
    expect(subjects(playTimeline({ ...learning, events, rules: [seenBranch(false)] }))).toHaveLength(3);
  });

  test('a rule that cuts a name within a character is judged all the same, by its timer too and after a restart', () => {
    const cut = (event: LoggedEvent) => branchOf(event as never).slice(0, 5);
    const rule = defineRule<unknown, unknown>({
      ...{ ...common, id: 'cuts', learns: false, reads: ['dev.cdevents.branch.created'] },
      ...{ settings: z.object({}), state: z.unknown(), keys: (event) => [cut(event)] },
      judge(event, context) {
        context.set(cut(event), { subject: cut(event) }, dayMs);
        context.setTimer({ id: cut(event), dueMs: context.nowMs + minuteMs, keys: [cut(event)] });
      },
      due(timer, context) {
        const { subject } = context.get('half\ud83d') as { subject: string };
        const decidedBy = { eventId: timer.id, time: new Date(timer.dueMs).toISOString() };
        context.find({ ...nothing, subject, occasion: 'once', decidedBy, title: 'A branch', summary: '' });
      },
    });
    const events = [pushed(startMs, 'half\u{1f600}')];
    for (const restartAfterEach of [false, true]) {
      const played = playTimeline({ rules: [rule], events, untilMs: startMs + 5 * minuteMs, restartAfterEach });
      expect(played.poison).toEqual([]);
      expect(subjects(played)).toEqual(['half\ufffd']);
    }
  });

  test('an equal body under another id is an event of its own, the same id none for 72 hours', () => {
    const bodySha256 = 'ab'.repeat(32);
    const told = (hours: number, id: string) =>
      pushed(startMs + hours * 60 * minuteMs, 'again', { id: `delivery-${id}`, bodySha256 });
    const events = [told(0, '1'), told(1, '2'), told(2, '1'), told(71, '3'), told(71.5, '1'), told(80, '1')];
    for (const restartAfterEach of [false, true]) {
      const played = playTimeline({
        rules: [seenBranch(false)],
        events,
        untilMs: startMs + 4 * dayMs,
        restartAfterEach,
      });
      expect(played.all.map(({ occasion }) => occasion)).toEqual(['delivery-1', 'delivery-2', 'delivery-3']);
    }
  });

  test('what the receiver says of itself makes no workspace, also where a rule judges it', () => {
    const summary = at(
      startMs,
      'dev.cdeventsx.tripline-deliveries.summarized',
      { 'tripline.deliveries.counts': [], 'tripline.deliveries.recent': [] },
      { workspace: receiverWorkspace },
    );
    const kept = createKept();
    const engine = createEngine({ rules: [configureRule(seenBranch(true))], learningDays: 2 }, kept.snapshot());
    const effects = runBatch(engine, { records: toRecords({ events: [summary] }), caughtUpAtMs: null }, () => []);
    expect(effects).toMatchObject({ newWorkspaces: [], state: [], timers: [], verdicts: [], poison: [], dedup: null });
    const judged: string[] = [];
    const { keys: _, ...keyless } = seenBranch(false);
    const judging: AnyRule = { ...keyless, reads: [summary.type], judge: ({ id }) => void judged.push(id) };
    const other = createEngine({ rules: [configureRule(judging)], learningDays: 2 }, kept.snapshot());
    const after = runBatch(other, { records: toRecords({ events: [summary] }), caughtUpAtMs: null }, () => []);
    expect(after).toMatchObject({ newWorkspaces: [], state: [], poison: [] });
    expect(judged).toHaveLength(1);
  });

  test('what fell due while its rule was taken out is judged once it is back, though not before', () => {
    const kept = createKept();
    const play = (of: readonly AnyRule[], events: readonly LoggedEventInput[], caughtUpAtMs: number | null) => {
      const configured = of.map((rule) => configureRule(rule));
      const engine = createEngine({ rules: configured, learningDays: 0 }, kept.snapshot());
      kept.keep(runBatch(engine, { records: toRecords({ events }), caughtUpAtMs }, kept.read));
      return kept.played().findings.map(({ subject }) => subject);
    };
    play(rules, [pushed(startMs, 'a'), pushed(startMs + 1, 'b')], null);
    expect(play([third], [], startMs + 10 * minuteMs)).toEqual([]);
    expect(play([third], [pushed(startMs + 11 * minuteMs, 'c', { id: 'later' })], null)).toEqual(['3']);
    expect(play(rules, [], startMs + 12 * minuteMs)).toEqual(['3', 'a', 'b']);
    expect(play(rules, [], startMs + 13 * minuteMs)).toEqual(['3', 'a', 'b']);
    expect(kept.played().rows.timers).toBe(0);
  });

  test("only a drill's inventory sets a rule's settings", () => {
    const holding = (workspace: string) => {
      const inventory = at(
        startMs,
        'dev.cdeventsx.tripline-inventory.observed',
        {
          'tripline.inventory.part': 1,
          'tripline.inventory.parts': 1,
          'tripline.inventory.settings': { 'lingering-branch': { holdMs: 1000 } },
        },
        { workspace },
      );
      const events = [inventory, pushed(startMs + 1, 'a', { workspace })];
      return playTimeline({ rules: [lingering], events, untilMs: startMs + minuteMs }).findings.length;
    };
    expect(holding('tripline-drill-1')).toBe(1);
    expect(holding('acme')).toBe(0);
  });
});
