import { createMetrics } from '@tripline/runtime/metrics';
import { expect, test } from 'vitest';
import { createEndMeasures } from './end-measures.ts';

test('what is alive is told by kind and tier, and nothing is told while nobody knows', async () => {
  const metrics = createMetrics({ service: 'test' });
  let answer: () => Promise<{ leftAlive: number; live: { kind: string; tier: string; count: number }[] }>;
  createEndMeasures(metrics, () => answer());
  const read = async () => {
    const lines = (await metrics.metrics()).split('\n');
    return lines.filter((line) => /^tripline_broker_(live|left_alive)\{/.test(line)).sort();
  };

  answer = async () => ({ leftAlive: 1, live: [{ kind: 'github', tier: 'production', count: 3 }] });
  expect(await read()).toEqual([
    'tripline_broker_left_alive{service="test"} 1',
    'tripline_broker_live{kind="github",tier="production",service="test"} 3',
  ]);
  answer = async () => {
    throw new Error('Postgres is away');
  };
  expect(await read()).toEqual([]);
  answer = async () => ({ leftAlive: 0, live: [] });
  expect(await read()).toEqual(['tripline_broker_left_alive{service="test"} 0']);
});
