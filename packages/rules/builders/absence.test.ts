import { type Act, acts, eventOf, expectAsReference, sightings, startMs } from '@tripline/testing/against-reference';
import { late, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { absence } from './absence.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('absence', () => {
  // A need (a) by somebody, that nobody else fulfils (b) within half an hour.
  const rule = absence({
    ...sightings,
    id: 'a-without-b',
    observe: (event) => {
      const kind = (event.data as unknown as Record<string, string>)['vcs.ref.head.name'];
      return kind === 'c' ? undefined : { kind: kind === 'a' ? 'needs' : 'fulfils', data: null };
    },
    withinMs: () => 30 * minuteMs,
    graceMs: () => 2 * minuteMs,
    longestMs: hourMs,
    isFor: (one, need) => one.by.id !== need.by.id,
    found: (need) => ({ subject: need.factKey, title: 'No b', summary: '' }),
  });
  test('finds each need that nothing fulfils in time', () => {
    expectAsReference(rule, acts(14, 300), (log) =>
      log.flatMap((need) => {
        const fits = (act: Act) =>
          act.kind === 'b' &&
          act.thing === need.thing &&
          act.by !== need.by &&
          act.minute >= need.minute &&
          act.minute - need.minute <= 30;
        return need.kind === 'a' && !log.some(fits) ? [`${need.thing} ${need.id}`] : [];
      }),
    );
  });

  test('it waits, finds, and takes back what is received late', () => {
    const need = eventOf({ kind: 'a', by: 'ada', thing: 'acme/x', minute: 0 }, 0);
    const other = eventOf({ kind: 'c', by: 'ada', thing: 'acme/x', minute: 31 }, 1);
    expect(playTimeline({ rules: [rule], events: [need, other], untilMs: startMs + 31 * minuteMs }).findings).toEqual(
      [],
    );
    const found = playTimeline({ rules: [rule], events: [need, other], untilMs: startMs + 40 * minuteMs });
    expect(found.findings[0]!.detectedAt).toBe(new Date(startMs + 32 * minuteMs).toISOString());
    const [fulfils] = late([eventOf({ kind: 'b', by: 'bob', thing: 'acme/x', minute: 10 }, 2)], 3 * hourMs, () => true);
    const { findings, retracted } = playTimeline({
      rules: [rule],
      events: [need, fulfils!],
      untilMs: startMs + 9 * hourMs,
    });
    expect(findings).toEqual([]);
    expect(retracted[0]!.reason).toBe('by what was received since: bob did');
  });
});
