import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outcomesOf } from './breaches.ts';
import type { Found } from './judge.ts';
import { differenceOf, leastLandings, mustHold, outcomeOf, pageOf } from './page.ts';
import { playMonth } from './play.ts';

/** Small enough for CI: `npm run month` plays it whole. */
const small = { seed: 3, size: 0.06, days: 12 };

const documented = new Set(
  readFileSync(
    join(import.meta.dirname, '../../packages/rules/audit-actions/fixtures/documented-actions.txt'),
    'utf8',
  ).split('\n'),
);

const honest = playMonth({ ...small, isBreached: false });
const breached = playMonth({ ...small, isBreached: true });

test('every delivery is taken and understood, no rule throws, and each kind of work is in it in its share', () => {
  const { judged, world } = honest;
  expect(Object.fromEntries(judged.faults)).toEqual({});
  expect(Object.fromEntries(judged.ignored)).toEqual({});
  expect(judged.events).toBeGreaterThan(9000);
  for (const action of ['git.fetch', 'git.clone', 'git.push', 'org.sso_response', 'workflows.prepared_workflow_job'])
    expect(world.records.get(action), action).toBeGreaterThan(100);
  expect(world.counts.get('audit records kept by an outage')).toBeGreaterThan(50);
  expect([...world.records.keys()].filter((action) => !documented.has(action))).toEqual([]);
  const landings = [...world.counts].filter(([label]) => label.startsWith('landings, '));
  const share = (small.size * small.days) / 30;
  expect(landings.reduce((sum, [, many]) => sum + many, 0)).toBeGreaterThan(0.7 * leastLandings * share);
  // What there is one of a week, or one at all, need not have come yet.
  const usual = mustHold.filter(([, atLeast]) => atLeast * share >= 5);
  expect(usual.length).toBeGreaterThanOrEqual(2);
  for (const [label, atLeast] of usual) expect(world.counts.get(label), label).toBeGreaterThan(0.5 * atLeast * share);
  // Of its people, those who are in a pool, on call, or join are no reason to find anything.
  expect(judged.findings.filter(({ finding }) => finding.rule.startsWith('grant-'))).toEqual([]);
});

test('of ordinary work nothing pages that should not, nothing would be acted upon, and at most one finding a day is wrong', () => {
  const { judged, world } = honest;
  const { standing, paging, acts } = outcomeOf(judged, world);
  const named = (found: readonly Found[]) => [...new Set(found.map(({ finding }) => finding.rule))].sort();
  expect(named(paging)).toEqual([]);
  expect(acts).toEqual([]);
  expect(standing.length, named(standing).join(', ')).toBeLessThanOrEqual(small.days);
});

test('each breach that is hidden in it is found, by all rules that are to find it, and nothing else is found than without', () => {
  const { judged, hidden } = breached;
  expect(Object.fromEntries(judged.faults)).toEqual({});
  expect(Object.fromEntries(judged.ignored)).toEqual({});
  const missed = outcomesOf(hidden, judged.findings).filter((outcome) => outcome.missed.length > 0);
  expect(missed.map(({ hidden: { scenario }, missed: those }) => [scenario.id, those])).toEqual([]);
  const { more, fewer } = differenceOf(honest.judged, judged, hidden);
  expect([...more, ...fewer].map(({ finding }) => finding)).toEqual([]);
});

test('the same seed is the same month, to the finding', () => {
  const play = () => {
    const played = playMonth({ ...small, days: 4, isBreached: true });
    const timeless = { ...played, judged: { ...played.judged, cpuMicros: 0 } };
    return pageOf(timeless, null, small);
  };
  expect(play()).toBe(play());
});
