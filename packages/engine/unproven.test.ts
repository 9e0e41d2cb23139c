import { defineRule } from '@tripline/contracts/rule';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { z } from 'zod';

const startMs = Date.parse('2026-03-01T00:00:00Z');
const minuteMs = 60_000;

/** Finds a branch a minute after it came, so that nothing is found before the event was judged in full. */
const late = defineRule<unknown, unknown>({
  ...{ id: 'late-branch', title: 'Late', description: 'For tests.', severity: 'high', confidence: 'high' },
  ...{ principles: [5], attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false },
  reads: ['dev.cdevents.branch.created'],
  settings: z.object({}),
  state: z.unknown(),
  keys: () => ['nothing'],
  judge: (event, context) => context.setTimer({ id: event.id, dueMs: context.nowMs + 1000, keys: ['nothing'] }),
  due: ({ id, dueMs }, context) =>
    context.find({
      ...{ subject: id, occasion: id, title: 'Late', summary: '', confidence: 'high' },
      ...{ evidence: [], entities: [], response: [], remedy: [] },
      decidedBy: { eventId: id, time: new Date(dueMs).toISOString() },
    }),
});
const branch = (nth: number, body: number): LoggedEventInput =>
  at(
    startMs + nth,
    'dev.cdevents.branch.created',
    { 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': 'main' },
    { id: `event-${nth}`, bodySha256: body.toString(16).padStart(8, '0').padEnd(64, 'a') },
  );

test('of more than 200 that wait the oldest is judged as if nobody could be asked, and none is forgotten', () => {
  const first = Array.from({ length: 205 }, (_, nth) => branch(nth, nth));
  const again = Array.from({ length: 205 }, (_, nth) => branch(300 + nth, nth));
  for (const restartAfterEach of [false, true]) {
    const play = (untilMs: number) =>
      playTimeline({ rules: [late], events: [...first, ...again], untilMs: startMs + untilMs, restartAfterEach });
    const soon = play(minuteMs);
    expect(soon.questions).toHaveLength(205);
    const doubted = soon.all.filter(({ unproven }) => unproven).map(({ subject }) => subject);
    expect(doubted).toEqual(again.slice(0, 5).map(({ id }) => id));
    const whole = play(20 * minuteMs);
    expect(whole.all.filter(({ unproven }) => unproven)).toHaveLength(205);
    expect(whole.all.filter(({ unproven }) => !unproven)).toHaveLength(205);
  }
}, 60_000);

test('what is too large to wait is judged at once, and doubted all the same', () => {
  const padded = (nth: number) => {
    const event = branch(nth, 1) as LoggedEventInput<'dev.cdevents.branch.created'>;
    return { ...event, data: { ...event.data, 'tripline.grant.repositories': Array(1000).fill('x'.repeat(100)) } };
  };
  const played = playTimeline({ rules: [late], events: [padded(0), padded(1)], untilMs: startMs + 2000 });
  expect(played.all.map(({ subject, unproven }) => [subject, unproven])).toEqual([
    ['event-0', undefined],
    ['event-1', true],
  ]);
  expect(played.questions).toHaveLength(1);
});
