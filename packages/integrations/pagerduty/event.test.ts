import { sampleFinding, sampleReport } from '@tripline/testing/sample-report';
import { expect, test } from 'vitest';
import { dedupKey, pagerDutyLimits, renderEvent } from './event.ts';

test('a trigger says what, how grave and where to look', () => {
  const event = renderEvent(sampleReport(), 'trigger');
  expect(event).toMatchObject({
    event_action: 'trigger',
    dedup_key: 'tripline:INC-7',
    payload: {
      summary: 'CRITICAL mallory was given write on acme/app by a token, outside any job (acme)',
      source: 'acme',
      severity: 'critical',
      timestamp: '2026-03-14T03:12:07.000Z',
      class: 'privilege-grant-outside-job',
    },
  });
  expect(event.links[0]!.href).toBe('https://github.example/acme/app/settings/access?a=1&b=2');
});

test('each page of an incident has an alert of its own; one that is superseded says so', () => {
  expect([dedupKey('INC-7'), dedupKey('INC-7', 0), dedupKey('INC-7', 1)]).toEqual([
    'tripline:INC-7',
    'tripline:INC-7',
    'tripline:INC-7:g2',
  ]);
  const anew = renderEvent(sampleReport(), 'trigger', { generation: 1, because: 'the token is STILL ALIVE' });
  expect([anew.dedup_key, anew.payload.summary]).toEqual([
    'tripline:INC-7:g2',
    expect.stringContaining('CRITICAL Pages again, the token is STILL ALIVE (mallory'),
  ]);
  const older = renderEvent(sampleReport(), 'resolve', { because: 'Superseded by a newer page' });
  expect([older.dedup_key, older.payload.summary]).toEqual([
    'tripline:INC-7',
    expect.stringContaining('Superseded by a newer page: '),
  ]);
});

test('severities are those of PagerDuty', () => {
  const severityOf = (severity: 'critical' | 'high' | 'medium' | 'low') =>
    renderEvent(sampleReport({ severity }), 'trigger').payload.severity;
  expect((['critical', 'high', 'medium', 'low'] as const).map(severityOf)).toEqual([
    'critical',
    'error',
    'warning',
    'info',
  ]);
});

test('limits hold, by characters, and links keep no password', () => {
  const evidence = Array.from({ length: 40 }, (_, nth) => ({
    ...sampleFinding().evidence[0]!,
    url: `https://bot:hunter2@github.example/${nth}`,
  }));
  const event = renderEvent(
    sampleReport({ title: '🔴'.repeat(3000), findings: [sampleFinding({ evidence })] }),
    'trigger',
  );
  expect([...event.payload.summary]).toHaveLength(pagerDutyLimits.summaryChars);
  expect(event.links).toHaveLength(pagerDutyLimits.linkCount);
  expect(JSON.stringify(event)).not.toContain('hunter2');
});
