import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCaptured, writeCaptured } from '@tripline/contracts/captured';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { AnyRule } from '@tripline/contracts/rule';
import { configureRule } from '@tripline/engine/settings';
import { rules as allRules, rulesByDefault } from '@tripline/rules/registry';
import { eventsOf } from '@tripline/scenarios/events';
import { scenarios } from '@tripline/scenarios/registry';
import { eventOfRecord } from '@tripline/sources/github-audit/record';
import { createWorkspaces } from '@tripline/sources/workspace';
import { seeded } from '@tripline/testing/timeline/any-order';
import { type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { captured } from './capture.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const capture = (
  events: readonly { event: TriplineEvent; atMs: number }[],
  rules: readonly AnyRule[],
  settings: Readonly<Record<string, Record<string, unknown>>> = {},
) =>
  captured(events, {
    ...{ rules: rules.map((rule) => configureRule(rule, settings[rule.id])), only: [], learningDays: 0 },
    ...{ untilMs: events.at(-1)!.atMs + 86_400_000, random: seeded(5) },
  });

describe('the same rules find the same in what was captured', () => {
  const workspaces = createWorkspaces({ workspaces: [], drills: true });
  test.each(scenarios.flatMap(({ id }) => [`${id}, the attack`, `${id}, its honest twin`]))('of %s', async (name) => {
    const [id = '', which] = name.split(', ');
    const scenario = scenarios.find((one) => one.id === id)!;
    const cast = { organization: `tripline-drill-${id}-t1`, startMs, seed: 987_654_321 };
    const events = eventsOf(scenario, which === 'the attack' ? 'attack' : 'benign', cast, workspaces);
    const { fixture, differences } = await capture(events, rulesByDefault);
    expect(differences).toEqual([]);
    if (which === 'the attack')
      for (const { rule } of scenario.expects) expect(fixture.expected.map((one) => one.rule)).toContain(rule);
    expect(readCaptured(writeCaptured(fixture))).toEqual(fixture);
  });

  test('of a record of each row of the table of audit actions', async () => {
    const path = join(import.meta.dirname, '../../rules/audit-actions/fixtures/records.jsonl');
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'));
    const cases = lines.map(
      (line) => JSON.parse(line) as { rule: string; actions: string[]; fires?: object; at?: string },
    );
    const events = cases
      .flatMap(({ actions, fires = {}, at }) =>
        actions.map((action) => ({
          ...(at === 'business' ? { business: 'wayne-group' } : { org: 'wayne', org_id: 77_123 }),
          ...fires,
          action,
        })),
      )
      .map((record, nth) => {
        const atMs = startMs + nth * 1000;
        const common = {
          ...{ '@timestamp': atMs, _document_id: `doc${nth}x`, actor: `alfred${nth}`, actor_id: 5_000_000 + nth },
          ...{ repo: 'wayne/manor', repo_id: 88_123, user: 'robin', user_id: 99_123, actor_ip: '203.0.113.7' },
        };
        const event = eventOfRecord(
          { ...common, ...record },
          { receivedAtMs: atMs, trust: 'high', whose: () => ({ workspace: 'wayne' }) },
        );
        if ('ignored' in event) throw new Error(`${record.action}: ${event.ignored}`);
        return { event: event as TriplineEvent, atMs };
      });
    const { fixture, differences } = await capture(events, allRules);
    expect(differences).toEqual([]);
    const replaced = fixture.events.map(({ atMs, event }) => ({ ...event, atMs }) as LoggedEventInput);
    const played = playTimeline({ rules: allRules, events: replaced, untilMs: fixture.head.untilMs });
    // Those for which a narrower rule speaks among them.
    const found = new Set(played.findings.map(({ rule }) => rule));
    expect(cases.map(({ rule }) => rule).filter((id) => !found.has(id))).toEqual([]);
    const text = JSON.stringify(fixture);
    expect(text.match(/wayne|manor|alfred|robin|\b(?:88123|99123|77123|5000[0-4]\d\d)\b|203\.0\.113/gi)).toBeNull();
  });
});
