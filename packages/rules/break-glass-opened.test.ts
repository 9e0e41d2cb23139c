import { expectSameInAnyOrder } from '@tripline/testing/timeline/any-order';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './break-glass-opened.ts';
import { rules } from './registry.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const iso = (seconds: number) => new Date(startMs + seconds * 1000).toISOString();
const record = (id: string, more: { actor?: string; trust?: 'high' | 'low' } = {}) =>
  at(
    startMs,
    'dev.cdeventsx.tripline-breakglass.opened',
    {
      'tripline.breakglass.id': id,
      'tripline.breakglass.actor': more.actor ?? 'ada',
      'tripline.breakglass.reason': 'production is down',
      'tripline.breakglass.expires_at': iso(3600),
    },
    { id: `record-${id}`, trust: more.trust ?? 'high' },
  );
const untilMs = startMs + 7200_000;

test('each opening is a finding of its own, which joins nothing', () => {
  const events = [record('1'), record('2'), record('3', { actor: 'eve' })];
  const { findings } = playTimeline({ rules, events, untilMs });
  expect(findings.map(({ subject, occasion }) => [subject, occasion])).toEqual([
    ['break-glass:ada', 'record-1'],
    ['break-glass:ada', 'record-2'],
    ['break-glass:eve', 'record-3'],
  ]);
  expect(findings[0]).toMatchObject({
    severity: 'medium',
    title: `Break-glass was opened for ada until ${iso(3600)}`,
    response: [],
  });
  expect(findings[0]!.summary).toContain('production is down');
  const entities = findings.flatMap((finding) => finding.entities.map(({ kind, id }) => `${kind} ${id}`));
  expect(new Set(entities).size).toBe(3);
  expectSameInAnyOrder(
    { rules: [rule], events, untilMs: untilMs + 7200_000 },
    findings.map((finding) => `${finding.rule} ${finding.subject} ${finding.occasion}`),
  );
});

test('a record that nobody signed is none', () => {
  expect(playTimeline({ rules: [rule], events: [record('1', { trust: 'low' })], untilMs }).all).toEqual([]);
});
