import { expect, test } from 'vitest';
import { benchOnboarding } from '../../test/bench/onboarding.ts';

test('a grant writes the same of state, however many there were on its day', () => {
  const { firstBytes, lastBytes } = benchOnboarding(100);
  expect(lastBytes).toBeLessThan(firstBytes * 1.1);
  expect(lastBytes).toBeLessThan(2000);
});
