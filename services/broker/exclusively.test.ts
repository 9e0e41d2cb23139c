import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exclusivelyBy } from './exclusively.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());

test('two processes that add to one list at once lose nothing; another list does not wait', async () => {
  const [one, two] = [exclusivelyBy(fresh.as('broker')), exclusivelyBy(fresh.as('broker'))];
  let list: number[] = [];
  const add = (n: number) => async () => {
    const read = list;
    await new Promise((resolve) => setImmediate(resolve));
    list = [...read, n];
    return n;
  };
  const turns = Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two)('aws/role', add(n)));
  expect(await Promise.all(turns)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(list.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));

  let others = 0;
  await one('aws/role', () => two('aws/other', async () => (others += 1)));
  expect(others).toBe(1);
});

test('what throws gives the turn to the next', async () => {
  const exclusively = exclusivelyBy(fresh.as('broker'));
  await expect(
    exclusively('aws/role', async () => {
      throw new Error('the provider is away');
    }),
  ).rejects.toThrow('the provider is away');
  expect(await exclusively('aws/role', async () => 'next')).toBe('next');
});
