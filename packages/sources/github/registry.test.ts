import { emitterEventNames } from '@octokit/webhooks';
import { expect, test } from 'vitest';
import { readEvents, unreadEvents } from './registry.ts';

test('every event that GitHub sends is read, or known not to be', () => {
  const names = emitterEventNames.filter((name) => !name.includes('.'));
  expect([...readEvents.keys(), ...unreadEvents.keys()].sort()).toEqual([...names].sort());
});
