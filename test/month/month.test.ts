import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { leastLandings, mustHold, pageOf } from './page.ts';
import { playMonth } from './play.ts';

/** Small enough for CI: `npm run month` plays it whole. */
const small = { seed: 7, size: 0.06, days: 12 };

const documented = new Set(
  readFileSync(
    join(import.meta.dirname, '../../packages/rules/audit-actions/fixtures/documented-actions.txt'),
    'utf8',
  ).split('\n'),
);

test('every delivery is taken and understood, no rule throws, and each kind of work is in it in its share', () => {
  const { judged, world } = playMonth(small);
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

test('the same seed is the same month, to the finding', () => {
  const play = () => {
    const { judged, world, rules } = playMonth({ ...small, days: 5 });
    return pageOf({ ...judged, cpuMicros: 0 }, world, { ...small, rules });
  };
  expect(play()).toBe(play());
});
