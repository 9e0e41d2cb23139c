import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { createRepeats } from './repeats.ts';

test('what is said again is due once a minute, with how often it was', () => {
  let nowMs = 0;
  const repeats = createRepeats(() => nowMs);
  expect(repeats('away')).toEqual({ isDue: true, repeated: 0 });
  for (nowMs = 1000; nowMs < 60_000; nowMs += 1000) expect(repeats('away').isDue).toBe(false);
  expect(repeats('other')).toEqual({ isDue: true, repeated: 0 });
  nowMs = 60_000;
  expect(repeats('away')).toEqual({ isDue: true, repeated: 59 });
  nowMs = 500_000;
  expect(repeats('away')).toEqual({ isDue: true, repeated: 0 });
});

test('of a flood of different texts no more than a thousand are known', () => {
  const repeats = createRepeats(() => 0);
  for (let nth = 0; nth <= 1000; nth += 1) expect(repeats(`text ${nth}`).isDue).toBe(true);
  expect([repeats('text 1000').isDue, repeats('text 0').isDue]).toEqual([false, true]);
});

test('a logger writes a warning once that says the very same, and all that differs or is no warning', () => {
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', level: 'info' }, { write: (line) => void lines.push(line) });
  const messages = () => lines.splice(0).map((line) => JSON.parse(line).msg);
  for (let nth = 0; nth < 3; nth += 1) {
    logger.warn({ err: new Error('away') }, 'heartbeat failed');
    logger.error('ended');
    logger.info('a delivery');
  }
  expect(messages()).toEqual(['heartbeat failed', 'ended', 'a delivery', 'a delivery', 'a delivery']);
  logger.warn({ err: new Error('refused') }, 'heartbeat failed');
  logger.child({ part: 'log' }).warn({ err: new Error('away') }, 'heartbeat failed');
  logger.warn({ partition: 1 }, 'dead-lettered');
  logger.warn({ partition: 2 }, 'dead-lettered');
  const circle: { self?: unknown } = {};
  circle.self = circle;
  logger.warn({ circle }, 'odd');
  logger.warn({ circle }, 'odd');
  expect(messages()).toEqual(['heartbeat failed', 'heartbeat failed', 'dead-lettered', 'dead-lettered', 'odd', 'odd']);
});
