import { rule as unreviewed } from '@tripline/rules/build-from-unreviewed-commit';
import { seeded } from '@tripline/testing/timeline/any-order';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, permuted, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import type { Known } from './known.ts';
import { readingRuns } from './known-run.ts';

const inventory = at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
  'tripline.inventory.part': 1,
  'tripline.inventory.parts': 1,
  'tripline.inventory.heads': [{ repository: 'acme/app', branch: 'main', revision: '9'.repeat(40) }],
  'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main'] }],
});
const clock = (minute: number) =>
  `${String(9 + Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** What a team did in a few hours, each commit of which a run deploys: changes approved, by whom and when, or not at all, and direct pushes. */
function someWork(random: () => number): string {
  const lines: string[] = [];
  let minute = 0;
  const next = (what: string) => {
    minute += 1;
    lines.push(`${clock(minute)} ${what}`);
  };
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  for (let n = 1; n <= 4; n += 1) {
    const kind = one(['direct', 'approved', 'approved', 'own', 'none', 'after', 'dismissed'] as const);
    if (kind === 'direct') next(`mallory pushes m${n} to acme/app main`);
    else {
      next(`ada opens #${n} in acme/app from feat${n} at h${n}`);
      if (kind !== 'none') next(`${kind === 'own' ? 'ada' : 'carol'} approves #${n} in acme/app`);
      if (kind === 'after') next(`ada updates #${n} in acme/app to k${n}`);
      if (kind === 'dismissed') next(`dave dismisses #${n} in acme/app of carol`);
      next(`carol merges #${n} in acme/app as m${n}`);
    }
    next(`carol starts run ${n} of release in acme/app at m${n}`);
    next(`carol starts job deploy of run ${n} (to production)`);
  }
  return lines.join('\n');
}

/** Of each run: whether the rule finds it unreviewed, and what the view has of it. */
function judged(events: readonly LoggedEventInput[], how: { restartAfterEach?: boolean; duplicated?: boolean }) {
  const view = new Map<string, Known['reviewed']['is']>();
  const reader = readingRuns((_, run, jobs) => {
    for (const { known } of jobs) view.set(run.slice(run.indexOf('#') + 1), known.reviewed.is);
  });
  const untilMs = Date.parse('2026-03-14T12:00:00Z');
  const played = playTimeline({ rules: [unreviewed, reader], events: [inventory, ...events], untilMs, ...how });
  expect(played.poison).toEqual([]);
  const found = new Set(played.findings.map(({ occasion }) => occasion.split('/')[0]!));
  return { view, found };
}

test('property: rule and view agree on every commit, in any order, doubled and restarted', () => {
  const random = seeded(7);
  const seen = new Set<string>();
  for (let log = 0; log < 12; log += 1) {
    const text = someWork(random);
    const events = eventsOf(text);
    const ways: [readonly LoggedEventInput[], object][] = [
      [events, {}],
      [permuted(events, random) as typeof events, {}],
      [permuted(events, random) as typeof events, { duplicated: true }],
      [permuted(events, random) as typeof events, { restartAfterEach: true }],
    ];
    const ends = ways.map(([order, how]) => {
      const { view, found } = judged(order, how);
      expect(view.size, text).toBe(4);
      for (const [run, is] of view) {
        seen.add(is);
        expect(`run ${run} ${found.has(run) ? 'unreviewed' : 'not found'}`, text).toBe(
          `run ${run} ${is === 'unreviewed' ? 'unreviewed' : 'not found'}`,
        );
      }
      return JSON.stringify([...view].sort());
    });
    expect(new Set(ends).size, text).toBe(1);
  }
  expect([...seen].sort()).toEqual(expect.arrayContaining(['reviewed', 'unreviewed']));
});
