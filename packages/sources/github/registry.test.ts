import { emitterEventNames } from '@octokit/webhooks';
import { expect, test } from 'vitest';
import { openapiBodies } from './openapi-bodies.ts';
import { readEvents, unreadEvents } from './registry.ts';

test('every event that any of GitHub’s products sends is read, or known not to be', () => {
  const names = emitterEventNames.filter((name) => !name.includes('.'));
  const described = openapiBodies().map(({ event }) => event);
  expect([...readEvents.keys(), ...unreadEvents.keys()].sort()).toEqual([...new Set([...names, ...described])].sort());
});
