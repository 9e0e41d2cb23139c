import type { LoggedEvent } from '@tripline/contracts/event';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolveFact } from './facts.ts';

const startMs = Date.parse('2026-05-01T12:00:58Z');
const hourMs = 3_600_000;

type Telling = { teller: string; ms: number; timeless?: boolean; by?: string };
/** The names of the facts that these tellings are of, in the order in which they are received. */
function factsOf(tellings: readonly Telling[]): string[] {
  let row: Parameters<typeof resolveFact>[2];
  return tellings.map(({ teller, ms, timeless, by = '7' }) => {
    const time = new Date(ms).toISOString();
    const event = {
      time,
      data: { 'user.id': by, ...(timeless ? { 'tripline.time.received': true } : {}) },
    } as LoggedEvent;
    const resolved = resolveFact(event, { id: `fact:added:x@${time.slice(0, 16)}Z`, teller }, row);
    row = resolved.row;
    return resolved.name;
  });
}
const countOf = (tellings: readonly Telling[]) => new Set(factsOf(tellings)).size;
const audit = (ms: number): Telling => ({ teller: 'github-audit', ms });
const webhook = (ms: number): Telling => ({ teller: 'member', ms, timeless: true });

test('webhook and audit log tell one act, whichever comes first, over a minute’s border, and however late the webhook is', () => {
  for (const lateMs of [0, 4000, 50_000, 300_000, 5 * hourMs, 71 * hourMs]) {
    expect(countOf([webhook(startMs + lateMs), audit(startMs)]), String(lateMs)).toBe(1);
    expect(countOf([audit(startMs), webhook(startMs + lateMs)]), String(lateMs)).toBe(1);
  }
  expect(countOf([audit(startMs), webhook(startMs + 73 * hourMs)])).toBe(2);
  // The receipt is never before the act, but for what clocks differ.
  expect(countOf([audit(startMs), webhook(startMs - 5 * 60_000)])).toBe(2);
});

test('what came late is of no act of another account, nor of one of whom nobody knows who did it', () => {
  expect(countOf([audit(startMs), { ...webhook(startMs + hourMs), by: '8' }])).toBe(2);
  expect(countOf([{ ...webhook(startMs + hourMs), by: '8' }, audit(startMs)])).toBe(2);
  // Within a minute it is the same act, whoever is said to have done it: an invitation is accepted by one, and recorded of another.
  expect(countOf([audit(startMs), { ...webhook(startMs + 5000), by: '8' }])).toBe(1);
});

test('as many acts as each feed tells are as many facts, however the two feeds mix and however late webhooks come', () => {
  const gaps = fc.array(fc.integer({ min: 120_000, max: 10 * hourMs }), { minLength: 1, maxLength: 5 });
  const lags = fc.infiniteStream(fc.oneof(fc.nat(3000), fc.nat(20 * hourMs)));
  fc.assert(
    fc.property(gaps, lags, fc.infiniteStream(fc.boolean()), (between, late, chances) => {
      const acts = between.map((_, nth) => startMs + between.slice(0, nth + 1).reduce((sum, gap) => sum + gap, 0));
      const audits = acts.map(audit);
      const webhooks = acts.map((ms) => webhook(ms + late.next().value)).sort((a, b) => a.ms - b.ms);
      const mixed: Telling[] = [];
      while (audits.length + webhooks.length > 0) {
        const from = webhooks.length === 0 || (audits.length > 0 && chances.next().value) ? audits : webhooks;
        mixed.push(from.shift()!);
      }
      expect(countOf(mixed)).toBe(acts.length);
    }),
    { numRuns: 1000 },
  );
});

test('there are never fewer facts than one feed alone tells acts, whatever the other leaves out', () => {
  const told = fc.record({ ms: fc.nat(100 * hourMs), timeless: fc.boolean(), by: fc.constantFrom('7', '8') });
  fc.assert(
    fc.property(fc.array(told, { maxLength: 12 }), (tellings) => {
      const given = tellings.map(({ ms, timeless, by }): Telling => {
        return { ...(timeless ? webhook(startMs + ms) : audit(startMs + ms)), by };
      });
      const names = factsOf(given);
      for (const teller of ['member', 'github-audit']) {
        const own = names.filter((_, nth) => given[nth]!.teller === teller);
        expect(new Set(own).size).toBe(own.length);
      }
    }),
  );
});
