import { type EventData, receiverWorkspace } from '@tripline/contracts/event';
import { seeded } from '@tripline/testing/timeline/any-order';
import { at, type LoggedEventInput, permuted, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './webhook-authenticity-failure.ts';

type Data = EventData<'dev.cdeventsx.tripline-deliveries.summarized'>;
type Entry = Data['tripline.deliveries.recent'][number];
const startMs = Date.parse('2026-03-11T09:00:00Z');
const minuteMs = 60_000;
const time = new Date(startMs).toISOString();

let nth = 0;
function summary(minute: number, counts: readonly [string, number][], recent: readonly Partial<Entry>[] = []) {
  nth += 1;
  return at(
    startMs + minute * minuteMs,
    'dev.cdeventsx.tripline-deliveries.summarized',
    {
      'tripline.deliveries.counts': counts.map(([reason, count]) => ({
        ...{ source: 'github', outcome: 'refused' as const, reason, count, lastAt: time },
      })),
      'tripline.deliveries.recent': recent.map((one) => ({
        ...{ source: 'github', outcome: 'ignored' as const, reason: 'unexpected-shape', time, genuine: true, ...one },
      })),
    },
    { workspace: receiverWorkspace, source: '//tripline/receiver', trust: 'low', id: `receiver:${nth}` },
  );
}
const lookedUp = (minute: number, proof: 'listed' | 'not-listed' | 'unavailable') =>
  at(
    startMs + minute * minuteMs,
    'dev.cdeventsx.tripline-delivery.looked-up',
    { 'tripline.delivery.id': `d-${minute}`, 'tripline.delivery.proof': proof },
    { id: `answer-${minute}` },
  );
const play = (events: LoggedEventInput[], how = {}) =>
  playTimeline({ rules: [rule], events, untilMs: startMs + 3 * 86_400_000, ...how });
const told = (events: LoggedEventInput[], how = {}) =>
  play(events, how).findings.map(({ workspace, subject, severity, confidence }) =>
    [workspace, subject, `${severity}/${confidence}`].join(' '),
  );

test('a genuine secret signed what does not fit: once a day for each reason, in any order', () => {
  const events = [
    summary(0, [], [{ event: 'member' }, { event: 'push', reason: 'wrong-organization', outcome: 'refused' }]),
    summary(1, [], [{ event: 'member', organization: 'acme' }]),
    summary(24 * 60, [], [{ event: 'member' }]),
  ];
  const wanted = [
    '@receiver github unexpected-shape medium/low',
    '@receiver github wrong-organization medium/low',
    '@receiver github unexpected-shape medium/low',
  ];
  for (const how of [{}, { duplicated: true }, { restartAfterEach: true }, { batchRecords: 2 }])
    expect(told(events, how)).toEqual(wanted);
  const random = seeded(3);
  for (let shuffle = 0; shuffle < 10; shuffle += 1)
    expect(told([...permuted(events, random)] as LoggedEventInput[]).sort()).toEqual([...wanted].sort());
});

test('scanners, an unread event, a ping, an audit record of another shape and what nobody signed are noise', () => {
  const events = [
    summary(0, [
      ['bad-signature', 3],
      ['missing-signature', 99],
    ]),
    summary(
      1,
      [['unknown-event', 5000]],
      [
        { reason: 'ping', event: 'ping' },
        { reason: 'event-not-read', event: 'star' },
      ],
    ),
    summary(2, [], [{ source: 'github-audit' }, { genuine: false, event: 'member' }]),
  ];
  expect(told(events)).toEqual([]);
});

test('a flood without signatures is one low finding a day', () => {
  const events = Array.from({ length: 50 }, (_, minute) => summary(minute, [['bad-signature', 5000]]));
  expect(told(events)).toEqual(['@receiver github bad-signature low/low']);
});

test('a replay that the provider’s list does not name, however often it is sent', () => {
  const { findings, retracted } = play([lookedUp(1, 'not-listed'), lookedUp(2, 'listed'), lookedUp(3, 'unavailable')]);
  expect(findings).toMatchObject([
    { workspace: 'acme', subject: 'replayed delivery', severity: 'high', confidence: 'high' },
  ]);
  expect(retracted).toEqual([]);
  const flood = Array.from({ length: 60 }, (_, minute) => lookedUp(minute, 'not-listed'));
  expect(told(flood)).toEqual(['acme replayed delivery high/high']);
  expect(told([lookedUp(2, 'listed'), lookedUp(3, 'unavailable')])).toEqual([]);
});
