import { acts, common, eventOf, expectAsReference, standing, startMs } from '@tripline/testing/against-reference';
import { at, type LoggedEventInput, late, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { firstSeen } from './first-seen.ts';
import { match } from './match.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

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

  test('what was silent for long is new again, however the sights between are received', () => {
    const rule = ofTraits(10 * 24 * hourMs);
    const seen = (day: number, place: number) =>
      eventOf({ kind: 'a', by: 'ada', thing: 'acme/x', minute: day * 1440 }, place);
    expect(standing(rule, [seen(0, 0), seen(9, 1), seen(18, 2)])).toEqual([]);
    expect(standing(rule, [seen(0, 0), seen(30, 1)])).toEqual(['acme/x a a since 2026-04-10']);
    // What lies between is received last: the trait was never silent.
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

  test('nothing is learned from what outsiders do, nor pushed out by it', () => {
    const ofRuns = (kind: string, minute: number, by: string, fork: boolean): LoggedEventInput =>
      at(
        startMs + minute * minuteMs,
        'dev.cdevents.pipelinerun.started',
        {
          ...{
            'user.name': by,
            'vcs.repository.name': 'acme/x',
            'vcs.ref.head.name': kind,
            'tripline.head.fork': fork,
          },
          ...{ 'cicd.pipeline.run.id': `${minute}`, 'vcs.ref.head.revision': 'c1' },
        },
        { id: `run-${minute}` },
      );
    const learner = firstSeen({
      ...common,
      ...{ id: 'new-trait', on: ['dev.cdevents.pipelinerun.started' as const], keepMs: 90 * 24 * hourMs },
      ...{ subject: named('vcs.repository.name'), trait: named('vcs.ref.head.name'), learnMs: () => 24 * hourMs },
      found: ({ of, trait }) => ({ subject: `${of.name} ${trait.name}`, title: 'New', summary: '' }),
    });
    const socks = Array.from({ length: 400 }, (_, nth) => ofRuns(`t${nth}`, 10 + nth, `sock${nth % 20}`, true));
    const later = 25 * 60;
    const events = [
      ...[ofRuns('a', 0, 'ada', false), ofRuns('b', 5, 'eve', true), ...socks],
      ...[ofRuns('c', 600, 'ada', false), ofRuns('a', later, 'ada', false), ofRuns('a', later + 1, 'eve', true)],
      ...[
        ofRuns('c', later + 2, 'eve', true),
        ofRuns('b', later + 3, 'mallory', false),
        ofRuns('d', later + 4, 'eve', true),
      ],
    ];
    for (const restartAfterEach of [false, true]) {
      const { findings } = playTimeline({ rules: [learner], events, untilMs: startMs + 48 * hourMs, restartAfterEach });
      const found = findings.filter(({ rule }) => rule === 'new-trait').map(({ subject }) => subject);
      expect(found.slice(0, 1)).toEqual(['acme/x b']);
      expect(found).not.toContain('acme/x a');
      expect(found).not.toContain('acme/x c');
    }
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
