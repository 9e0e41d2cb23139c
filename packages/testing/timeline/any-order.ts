import assert from 'node:assert/strict';
import { type LoggedEventInput, late, permuted, playTimeline, type Timeline } from './play.ts';

/**
 * Holds a rule to what every rule promises: whatever order its events arrive in, however late, however often, and
 * however often the detector restarts between them, the same findings stand in the end.
 */
export type OrderedTimeline = Omit<Timeline, 'restartAfterEach' | 'duplicated' | 'batchRecords'> & {
  /** Events that are there before the timeline: an inventory. They keep their place. */
  before?: readonly LoggedEventInput[];
};

/** The findings that stand, each as `rule subject occasion`. */
export function standing(timeline: OrderedTimeline & Partial<Timeline>): string[] {
  const { before = [], events, ...rest } = timeline;
  const played = playTimeline({ ...rest, events: [...before, ...events] });
  assert.deepEqual(played.poison, [], 'no rule throws, and no record is unreadable');
  return played.findings.map((finding) => `${finding.rule} ${finding.subject} ${finding.occasion}`).sort();
}

/** Expects the same standing findings of 40 shuffles, of each event an hour late, doubled, and restarted after each. */
export function expectSameInAnyOrder(timeline: OrderedTimeline, expected: readonly string[]): void {
  const events = timeline.events.map((event, place) => ({
    ...event,
    id: event.id ?? `timeline-${place + 1}`,
    time: event.time ?? new Date(event.atMs).toISOString(),
  }));
  const named = { ...timeline, events };
  const wanted = [...expected].sort();
  const expectStanding = (played: OrderedTimeline & Partial<Timeline>, how: string) => {
    const stands = standing(played);
    assert.deepEqual(stands, wanted, `${how}\nstands: ${stands.join(', ')}\nwanted: ${wanted.join(', ')}`);
  };
  expectStanding(named, 'in order');
  expectStanding({ ...named, duplicated: true }, 'doubled');
  expectStanding({ ...named, restartAfterEach: true }, 'restarted after each');
  for (let place = 0; place < events.length; place += 1) {
    const one = late(events, 3_600_000, (_, at) => at === place);
    expectStanding({ ...named, events: one }, `${events[place]!.type} an hour late`);
  }
  const random = seeded(7);
  for (let shuffle = 0; shuffle < 40; shuffle += 1) {
    const other = permuted(events, random);
    const told = other.map((event) => `${event.id} ${event.type}`).join('\n');
    expectStanding({ ...named, events: other, restartAfterEach: shuffle % 8 === 0 }, told);
  }
}

/** A small seeded generator (mulberry32), so that a failure comes again. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
