import { describe, expect, test } from 'vitest';
import { kafkaSource } from './partition-source.ts';
import { createTopicEnds, type Ends } from './topic-ends.ts';

const atEnd = (next: number): Ends['of'] => new Map([[0, { first: 0, next }]]);

function clockAt(startMs: number) {
  const clock = { atMs: startMs, nowMs: () => clock.atMs, pause: async () => {} };
  return clock;
}

describe('where topics end', () => {
  function asking() {
    const clock = clockAt(1000);
    const asked: string[] = [];
    const answers = { next: 5, fails: false };
    const endsOf = createTopicEnds({
      clock,
      read: async (topic) => {
        asked.push(topic);
        if (answers.fails) throw new Error('away');
        return atEnd(answers.next);
      },
    });
    return { clock, asked, answers, endsOf };
  }

  test('is asked once by those who ask at once, and each topic by itself', async () => {
    const { asked, endsOf } = asking();
    const [one, other] = await Promise.all([endsOf('a'), endsOf('a'), endsOf('b')]);
    expect(one).toBe(other);
    expect(asked).toEqual(['a', 'b']);
  });

  test('is as old as it was requested, and given again to whom that age will do alone', async () => {
    const { clock, asked, answers, endsOf } = asking();
    await endsOf('a', 125);
    clock.atMs = 1125;
    answers.next = 6;
    expect(await endsOf('a', 125)).toMatchObject({ askedAtMs: 1000, of: atEnd(5) });
    expect(await endsOf('b', 125)).toMatchObject({ askedAtMs: 1125, of: atEnd(6) });
    expect(await endsOf('a')).toMatchObject({ askedAtMs: 1125, of: atEnd(6) });
    clock.atMs = 1251;
    expect(await endsOf('a', 125)).toMatchObject({ askedAtMs: 1251 });
    expect(asked).toEqual(['a', 'b', 'a', 'a']);
  });

  test('is requested anew by a clock that was set back, and after a request that failed', async () => {
    const { clock, asked, answers, endsOf } = asking();
    await endsOf('a', 125);
    clock.atMs = 500;
    expect(await endsOf('a', 125)).toMatchObject({ askedAtMs: 500 });
    answers.fails = true;
    await expect(endsOf('a')).rejects.toThrow('away');
    answers.fails = false;
    clock.atMs = 900;
    expect(await endsOf('a')).toMatchObject({ askedAtMs: 900 });
    expect(asked).toHaveLength(4);
  });
});

describe('a partition that is read to its end', () => {
  const never = new AbortController().signal;

  /** `takesMs`: how long ago what it is answered was requested. */
  async function reading({ next = 5, tookMs = 0 }: { next?: number; tookMs?: number } = {}) {
    const clock = clockAt(10_000);
    const maxAges: (number | undefined)[] = [];
    const ends = { next, tookMs };
    const source = kafkaSource({
      ...{ topic: 'events', partition: 0, maxRecords: 100, tickMs: 250, clockSkewMs: 40, clock },
      logger: { warn() {}, info() {}, debug() {} } as never,
      fetching: {
        ...{ seek() {}, pause() {}, resume() {} },
        ends: async (maxAgeMs) => {
          maxAges.push(maxAgeMs);
          return { askedAtMs: clock.nowMs() - ends.tookMs, of: atEnd(ends.next) };
        },
      },
    });
    await source.start(5);
    return { clock, maxAges, ends, source };
  }

  test('promises no later time than that at which its end was requested, less what clocks may be apart', async () => {
    const { source, maxAges, ends } = await reading({ tookMs: 100 });
    expect(await source.next(never)).toEqual({ records: [], caughtUpAtMs: 10_000 - 100 - 40 });
    // To start from an offset takes the ends of now.
    expect(maxAges).toEqual([undefined, 125]);
    ends.tookMs = 0;
  });

  test('ticks with others, and is read again for half a tick at least where answers take longer than that', async () => {
    const { source, clock, maxAges } = await reading({ tookMs: 100 });
    await source.next(never);
    clock.atMs = 10_149;
    await expectNoTick(source, maxAges, 2);
    clock.atMs = 10_150;
    expect(await source.next(never)).not.toBeNull();
    const slow = await reading({ tookMs: 900 });
    await slow.source.next(never);
    slow.clock.atMs = 10_124;
    await expectNoTick(slow.source, slow.maxAges, 2);
    slow.clock.atMs = 10_125;
    expect(await slow.source.next(never)).not.toBeNull();
  });

  test('promises nothing where the log goes on', async () => {
    const { source } = await reading({ next: 6 });
    expect(await source.next(never)).toBeNull();
  });

  async function expectNoTick(
    source: Awaited<ReturnType<typeof reading>>['source'],
    maxAges: readonly unknown[],
    asked: number,
  ): Promise<void> {
    expect(await source.next(never)).toBeNull();
    expect(maxAges).toHaveLength(asked);
  }
});
