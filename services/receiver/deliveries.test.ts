import { expect, test } from 'vitest';
import { createDeliveries } from './deliveries.ts';

test('remembers at least the last so many names, and no more than twice as many', async () => {
  const deliveries = createDeliveries(10);
  const isNew = (nth: number) => deliveries.once(`delivery ${nth}`, async () => {});
  for (let nth = 0; nth < 100; nth += 1) {
    expect(await isNew(nth)).toBe(true);
    for (let before = Math.max(0, nth - 9); before <= nth; before += 1) expect(await isNew(before)).toBe(false);
  }
  expect(await isNew(79)).toBe(true);
});

test('lets a twin try when the first one fails', async () => {
  const deliveries = createDeliveries(10);
  const gate = Promise.withResolvers<void>();
  const first = deliveries.once('id', () => gate.promise);
  const twin = deliveries.once('id', async () => {});
  gate.reject(new Error('the log is away'));
  await expect(first).rejects.toThrow('the log is away');
  expect(await twin).toBe(true);
  expect(await deliveries.once('id', async () => {})).toBe(false);
});
