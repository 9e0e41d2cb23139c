import { emitterEventNames } from '@octokit/webhooks';
import { openapiBodies } from '@tripline/testing/openapi-bodies';
import { expect, test } from 'vitest';
import { readEvents, unreadEvents } from './registry.ts';

test('every event that any of GitHub’s products sends is read, or known not to be', () => {
  const names = emitterEventNames.filter((name) => !name.includes('.'));
  const described = openapiBodies().map(({ event }) => event);
  expect([...readEvents.keys(), ...unreadEvents.keys()].sort()).toEqual([...new Set([...names, ...described])].sort());
});
