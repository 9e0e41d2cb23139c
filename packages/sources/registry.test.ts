import { feedNames } from '@tripline/contracts/feeds';
import { expect, test } from 'vitest';
import { feeds } from './registry.ts';

test('a rule can say that it needs any feed that there is', () => {
  expect(feedNames).toEqual(expect.arrayContaining(feeds.map(({ name }) => name)));
});
