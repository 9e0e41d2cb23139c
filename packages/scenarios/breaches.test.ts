import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitingBreaches } from './breaches.ts';
import { renderBreaches } from './breaches-page.ts';
import { scenarios } from './registry.ts';

test('BREACHES.md says what the registry says (`npm run docs` writes it)', () => {
  expect(readFileSync(join(import.meta.dirname, 'BREACHES.md'), 'utf8')).toBe(renderBreaches());
});

test('each breach has a number and a name of its own, and either a scenario or a feed that it waits for', () => {
  const replayed = scenarios.flatMap(({ breach }) => (breach === undefined ? [] : [breach]));
  const all = [...replayed, ...waitingBreaches];
  expect(new Set(all.map(({ number }) => number)).size).toBe(all.length);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  for (const { date } of all) expect(date).toMatch(/^20\d\d-(0[1-9]|1[0-2])(-([0-2]\d|3[01]))?$/);
  expect(new Set(scenarios.map(({ id }) => id)).size).toBe(scenarios.length);
});
