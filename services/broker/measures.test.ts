import { createMetrics } from '@tripline/runtime/metrics';
import { expect, test } from 'vitest';
import { createMeasures } from './measures.ts';

function pendingAt() {
  const metrics = createMetrics({ service: 'test' });
  const state = { nowMs: 1_000_000, prompts: async () => ({ run: 2, request: 1 }) };
  const measures = createMeasures(
    metrics,
    () => state.nowMs,
    () => state.prompts(),
  );
  const pending = async () =>
    Object.fromEntries(
      [...(await metrics.metrics()).matchAll(/^tripline_broker_pending\{of="(\w+)".*\} (\d+)$/gm)].map(
        ([, of, count]) => [of, Number(count)],
      ),
    );
  return { state, measures, pending };
}

test('what waits is told: second factors that are open, and each job and policy that was told to ask again', async () => {
  const { state, measures, pending } = pendingAt();
  expect(await pending()).toEqual({ job: 0, run: 2, request: 1 });
  for (const [job, policy] of [
    ['a', 'deploy'],
    ['a', 'deploy'],
    ['a', 'publish'],
    ['b', 'deploy'],
  ] as const)
    measures.waits(job, policy, true);
  expect(await pending()).toMatchObject({ job: 3 });
  measures.waits('a', 'publish', false);
  expect(await pending()).toMatchObject({ job: 2 });
  // It asks again each few seconds; who does not has gone.
  state.nowMs += 20_000;
  measures.waits('b', 'deploy', true);
  state.nowMs += 20_000;
  expect(await pending()).toMatchObject({ job: 1 });
});

test('while Postgres is away nothing is said of second factors', async () => {
  const { state, measures, pending } = pendingAt();
  measures.waits('a', 'deploy', true);
  state.prompts = async () => {
    throw new Error('Postgres is away');
  };
  expect(await pending()).toEqual({ job: 1 });
});
