import { fromEventRecord } from '@tripline/contracts/event-record';
import type { Clock } from '@tripline/runtime/clock';
import type { NewRecord } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { startReceiver } from '@tripline/testing/services/receiver';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { createSummaries, type NotedDelivery } from './summaries.ts';

const startMs = Date.parse('2026-03-04T05:06:07Z');

/** Summaries over a clock that a test moves and a log that it can take away. */
function summarizing() {
  let nowMs = startMs;
  const waiting: { atMs: number; wake: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    pause: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        waiting.push({ atMs: nowMs + ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve());
      }),
  };
  const records: NewRecord[] = [];
  const log = { away: false, full: false };
  const summaries = createSummaries({
    append: async (record) => {
      if (log.full) throw new Error('no room');
      records.push(record);
    },
    behind: () => log.away,
    clock,
  });
  return {
    log,
    records,
    summaries,
    note: (of: Partial<NotedDelivery>) =>
      summaries.note({ source: 'github', outcome: 'refused', reason: 'bad-signature', atMs: nowMs, ...of }),
    async pass(seconds: number) {
      for (let second = 0; second < seconds; second += 1) {
        nowMs += 1000;
        for (const one of waiting.splice(0)) one.wake();
        for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      }
    },
    told: () =>
      records.map((record, offset) => {
        const event = fromEventRecord(record, { partition: 0, offset, appendedAtMs: 0 }, { checkWhole: true });
        if (event.type !== 'dev.cdeventsx.tripline-deliveries.summarized') throw new Error(event.type);
        return {
          counts: event.data['tripline.deliveries.counts'],
          recent: event.data['tripline.deliveries.recent'],
          since: event.data['tripline.deliveries.since'],
        };
      }),
  };
}
const genuine = { outcome: 'ignored', reason: 'unknown-event', claims: { delivery: 'd-1', event: 'novelty' } } as const;

describe('what is not kept is accounted for', () => {
  test('within a second, with what the delivery says of itself once its signature fits', async () => {
    const { note, pass, told, records } = summarizing();
    note({ ...genuine, claims: { ...genuine.claims, organization: 'acme' } });
    await pass(1);
    expect(records[0]).toMatchObject({ topic: 'tripline.events', key: '@receiver', headers: { ce_trust: 'low' } });
    const time = '2026-03-04T05:06:07.000Z';
    const named = { source: 'github', outcome: 'ignored', reason: 'unknown-event' };
    expect(told()).toEqual([
      {
        since: time,
        counts: [{ ...named, count: 1, lastAt: time }],
        recent: [{ ...named, time, genuine: true, delivery: 'd-1', event: 'novelty', organization: 'acme' }],
      },
    ]);
    await pass(100);
    expect(records).toHaveLength(1);
  });

  test('of strangers a count and three times, at first at once and then once a minute', async () => {
    const { note, pass, told } = summarizing();
    for (let second = 0; second < 180; second += 1) {
      for (let nth = 0; nth < 1000; nth += 1) note({});
      await pass(1);
    }
    const all = told();
    expect(all).toHaveLength(3);
    expect(all.map(({ counts }) => counts[0]!.count)).toEqual([1000, 60_000, 60_000]);
    for (const { recent } of all) {
      expect(recent).toHaveLength(3);
      expect(recent[0]).toEqual({
        ...{ source: 'github', outcome: 'refused', reason: 'bad-signature' },
        ...{ time: expect.any(String), genuine: false },
      });
    }
  });

  test('a stranger’s flood holds up nothing of what is genuine', async () => {
    const { note, pass, told } = summarizing();
    note({});
    await pass(1);
    for (let nth = 0; nth < 10_000; nth += 1) note({});
    note(genuine);
    await pass(1);
    expect(told()[1]!.recent.filter(({ genuine }) => genuine)).toHaveLength(1);
  });

  test('while the log is away only once a minute, and what found no room is counted later', async () => {
    const { note, pass, told, log } = summarizing();
    log.away = true;
    for (let second = 0; second < 60; second += 1) {
      note(genuine);
      await pass(1);
    }
    expect(told()).toHaveLength(1);
    log.full = true;
    await pass(60);
    log.away = log.full = false;
    note(genuine);
    await pass(1);
    expect(told().reduce((sum, { counts }) => sum + counts.reduce((part, { count }) => part + count, 0), 0)).toBe(61);
  });

  test('as it stops, without waiting', async () => {
    const { note, told, summaries } = summarizing();
    note({});
    await summaries.close();
    expect(told()).toHaveLength(1);
  });

  test('whatever comes: nothing is lost from the counts, no record is large, none comes within a second', async () => {
    const one = fc.record({
      outcome: fc.constantFrom('ignored' as const, 'refused' as const),
      reason: fc.constantFrom('ping' as const, 'unknown-event' as const, 'bad-signature' as const, 'too-deep' as const),
      claims: fc.option(fc.record({ delivery: fc.string({ maxLength: 100 }), event: fc.string({ maxLength: 100 }) })),
      seconds: fc.nat(3),
      times: fc.nat(100),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 20 }), async (steps) => {
        const { note, pass, told, records, summaries } = summarizing();
        for (const { seconds, times, claims, outcome, reason } of steps) {
          for (let nth = 0; nth < times; nth += 1) note({ outcome, reason, ...(claims && { claims }) });
          await pass(seconds);
        }
        await summaries.close();
        const counted = told().flatMap(({ counts }) => counts.map(({ count }) => count));
        expect(counted.reduce((sum, count) => sum + count, 0)).toBe(steps.reduce((sum, { times }) => sum + times, 0));
        for (const record of records) expect(record.value.length).toBeLessThan(32_768);
        const seconds = records.map(({ headers }) => Date.parse(headers['ce_time']!)).slice(0, -1);
        expect(new Set(seconds).size).toBe(seconds.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('of a receiver', () => {
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  afterEach(() => receiver?.close());

  test('the log holds what it ignored and refused, nothing that a stranger sent, and no answer waits for it', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const body = { zen: 'Keep it simple.', hook: {}, hook_id: 1, organization: { login: 'acme', id: 2 } };
    await receiver.github('ping', body, { 'x-github-delivery': 'the-ping' });
    await receiver.github('ping', `${JSON.stringify(body)}x`, { 'x-github-delivery': 'the-broken' });
    await receiver.github('ping', body, {
      'x-github-delivery': 'the-stranger',
      'x-github-event': 'strange',
      'x-hub-signature-256': `sha256=${'0'.repeat(64)}`,
    });
    expect(stream.appended).toEqual([]);
    await receiver.close(true);
    expect(stream.appended).toHaveLength(1);
    const value = stream.appended[0]!.value.toString();
    expect(value).not.toMatch(/strange/);
    expect(JSON.parse(value)['tripline.deliveries.recent']).toMatchObject([
      { outcome: 'ignored', reason: 'ping', delivery: 'the-ping', event: 'ping', organization: 'acme', genuine: true },
      { outcome: 'refused', reason: 'invalid-json', delivery: 'the-broken', event: 'ping', genuine: true },
      { outcome: 'refused', reason: 'bad-signature', genuine: false },
    ]);
  });
});
