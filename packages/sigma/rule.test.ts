import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { findingSchema } from '@tripline/contracts/finding';
import { readersByType } from '@tripline/engine/readers';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { readRules } from './read-rules.ts';
import { faultOfLogSource, ruleIdOf, ruleOfSigma } from './rule.ts';

const uuid = '5a5a2b5e-0000-4000-8000-000000000001';
const ruleText = (detection: string, rest = '') =>
  `title: Member added\nid: ${uuid}\n${rest}logsource:\n  product: github\n  service: audit\ndetection:\n${detection}`;
const made = (detection: string, rest = '') => {
  const [sigma] = readRules(ruleText(detection, rest), 'audit/member.yml').rules;
  return ruleOfSigma(sigma!, ruleIdOf(sigma!)!);
};
const byAction = '  s:\n    action: org.add_member\n  condition: s\n';

type Record = { [field: string]: string | number | boolean | null | string[] };
/** A record of the audit log as an event of `type`, as its feed makes it. */
const recorded = (record: Record & { action: string }, type: EventType = 'dev.cdeventsx.tripline-audit.recorded') =>
  at(1000, type, {
    'user.name': 'mallory',
    'user.id': '66',
    'vcs.provider.name': 'github',
    'vcs.owner.name': 'acme',
    'vcs.repository.name': 'acme/app',
    'tripline.audit.action': record.action,
    'tripline.audit.id': 'dGVzdA',
    'tripline.audit.record': record,
  } as never) as LoggedEventInput;
const play = (rule: ReturnType<typeof made>, ...events: LoggedEventInput[]) =>
  playTimeline({ rules: [rule], events, untilMs: 10_000 });

describe('a Sigma rule in force', () => {
  test('finds the record that it matches, and says which rule and which record', () => {
    const rule = made(byAction, 'level: high\ntags:\n  - attack.persistence\n  - attack.t1098.001\n');
    const { findings, poison } = play(rule, recorded({ action: 'org.add_member', actor: 'mallory' }));
    expect(poison).toEqual([]);
    expect(findings).toHaveLength(1);
    const [finding] = findings;
    expect(findingSchema.parse(finding)).toMatchObject({
      ...{ rule: `sigma-${uuid}`, severity: 'high', subject: 'acme/app', attack: ['T1098.001'], owasp: [] },
      title: 'Member added: acme/app, by mallory',
      summary: expect.stringMatching(new RegExp(`Sigma rule ${uuid} of audit/member.yml`)),
      evidence: [{ record: 'dGVzdA', what: expect.stringContaining('org.add_member') }],
    });
    expect(finding!.entities.map(({ kind, id }) => [kind, id])).toEqual([
      ['user', 'mallory'],
      ['repository', 'acme/app'],
    ]);
  });

  test('is found by its action alone, and one without an action is asked of every audit record and of nothing else', () => {
    expect(made(byAction)).toMatchObject({ where: { attribute: 'tripline.audit.action', oneOf: ['org.add_member'] } });
    const open = made('  s:\n    actor|startswith: mal\n  condition: s\n');
    expect(open).toMatchObject({ has: 'tripline.audit.action' });
    expect(open).not.toHaveProperty('where');
    const push = at(500, 'dev.cdevents.branch.created', {
      'vcs.repository.name': 'acme/app',
      'vcs.ref.head.name': 'mallory',
    }) as LoggedEventInput;
    const { findings } = play(open, push, recorded({ action: 'team.add_member', actor: 'mallory' }));
    expect(findings.map(({ summary }) => summary)).toEqual([expect.stringContaining('`team.add_member`')]);
  });

  test('of three hundred, a record asks those alone that name its action', () => {
    const many = Array.from({ length: 300 }, (_, nth) =>
      made(`  s:\n    action: [org.act_${nth}, org.common]\n  condition: s\n`),
    );
    const readers = readersByType(many.map((rule) => ({ rule, written: {}, settings: {} })));
    const asked = (action: string) => {
      const event = { type: 'dev.cdeventsx.tripline-audit.recorded', data: { 'tripline.audit.action': action } };
      return readers.wanting(readers.of('dev.cdeventsx.tripline-audit.recorded')!, event as unknown as LoggedEvent)
        .length;
    };
    expect([asked('org.act_7'), asked('org.other'), asked('org.common')]).toEqual([1, 0, 300]);
  });

  test('reads a record whatever it was read as, and one of which its action was clipped away', () => {
    const rule = made(byAction);
    const added = recorded({ action: 'org.add_member' }, 'dev.cdeventsx.tripline-grant.added');
    Object.assign(added.data, {
      'tripline.grant.kind': 'org-member',
      'tripline.grant.grantee': 'eve',
      'tripline.grant.target': 'acme',
    });
    expect(play(rule, added).findings).toHaveLength(1);
    const { action: _, ...without } = { action: 'org.add_member', actor: 'mallory' };
    const clipped = recorded({ ...without, action: 'org.add_member' });
    expect(play(made('  s:\n    action|contains: add_\n  condition: s\n'), clipped).findings).toHaveLength(1);
  });

  test('keeps quiet about other actions, and finds each record once', () => {
    const rule = made(byAction);
    expect(play(rule, recorded({ action: 'org.remove_member' })).findings).toEqual([]);
    const one = recorded({ action: 'org.add_member' });
    expect(playTimeline({ rules: [rule], events: [one], untilMs: 10_000, duplicated: true }).findings).toHaveLength(1);
  });
});

test('levels are severities, and informational only informs', () => {
  const of = (level: string) => made(byAction, level === '' ? '' : `level: ${level}\n`).severity;
  expect(['informational', 'low', 'medium', 'high', 'critical', ''].map(of)).toEqual([
    ...['low', 'low', 'medium', 'high', 'critical', 'medium'],
  ]);
});

test('the id is the UUID, else the title', () => {
  expect(ruleIdOf({ id: uuid.toUpperCase(), title: 'x' })).toBe(`sigma-${uuid}`);
  expect(ruleIdOf({ id: 'mine', title: 'Member (added) to… Org!' })).toBe('sigma-member-added-to-org');
  expect(ruleIdOf({ title: '…' })).toBeUndefined();
});

test('a log source that no feed tells is named', () => {
  const source = { product: undefined, service: undefined, category: undefined };
  expect(faultOfLogSource({ ...source, product: 'github', service: 'audit' })).toBeUndefined();
  expect(faultOfLogSource({ ...source, product: 'GitHub' })).toBeUndefined();
  expect(faultOfLogSource({ ...source, product: 'github', service: 'webhook' })).toContain('service: webhook');
  expect(faultOfLogSource({ ...source, product: 'windows', category: 'process_creation' })).toContain(
    '`product: windows, category: process_creation`',
  );
  expect(faultOfLogSource(source)).toContain('that it leaves open');
});
