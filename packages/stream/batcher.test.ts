import { expect, test } from 'vitest';
import { createBatcher } from './batcher.ts';

/** A batcher of numbers whose sends the test settles by hand; each item weighs what it says. */
function byHand(limits: { maxItems?: number; maxBytes?: number } = {}) {
  const sent: { items: readonly number[]; resolve: () => void; reject: (error: Error) => void }[] = [];
  const batcher = createBatcher<number, string>({
    maxItems: limits.maxItems ?? 100,
    maxBytes: () => limits.maxBytes ?? 1000,
    sizeOf: (item) => item,
    send: (items) =>
      new Promise((resolve, reject) =>
        sent.push({ items, resolve: () => resolve(items.map((n) => `kept ${n}`)), reject }),
      ),
  });
  return { batcher, sent, items: () => sent.map((one) => one.items) };
}

test('sends at once when alone; what comes meanwhile goes together, one batch at a time', async () => {
  const { batcher, sent, items } = byHand();
  const first = batcher.add([1]);
  const second = batcher.add([2, 3]);
  const third = batcher.add([4]);
  expect(items()).toEqual([[1]]);
  sent[0]!.resolve();
  expect(await first).toEqual(['kept 1']);
  await expect.poll(items).toEqual([[1], [2, 3, 4]]);
  sent[1]!.resolve();
  expect(await second).toEqual(['kept 2', 'kept 3']);
  expect(await third).toEqual(['kept 4']);
  await batcher.idle();
});

test('cuts by number and by bytes, and joins the results of one caller', async () => {
  const { batcher, sent, items } = byHand({ maxItems: 3, maxBytes: 10 });
  const all = batcher.add([1, 2, 3, 4, 9, 20, 1]);
  for (let n = 0; n < 5; n += 1) {
    await expect.poll(() => sent.length).toBe(n + 1);
    sent[n]!.resolve();
  }
  expect(items()).toEqual([[1, 2, 3], [4], [9], [20], [1]]);
  expect(await all).toEqual([1, 2, 3, 4, 9, 20, 1].map((n) => `kept ${n}`));
});

test('a failed batch fails its callers alone, and nothing of theirs follows it', async () => {
  const { batcher, sent, items } = byHand({ maxItems: 2 });
  const first = batcher.add([1]);
  const broken = batcher.add([2, 3, 4]);
  const after = batcher.add([5]);
  sent[0]!.resolve();
  await first;
  await expect.poll(() => sent.length).toBe(2);
  sent[1]!.reject(new Error('away'));
  await expect(broken).rejects.toThrow('away');
  await expect.poll(items).toEqual([[1], [2, 3], [5]]);
  sent[2]!.resolve();
  expect(await after).toEqual(['kept 5']);
});
