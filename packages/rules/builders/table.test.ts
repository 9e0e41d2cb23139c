import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { type Row, rulesOf, type Table } from './table.ts';

const visibility: Table = {
  id: 'control',
  on: ['dev.cdeventsx.tripline-control.changed'],
  attribute: 'tripline.control.action',
  ...{ principles: [1], attack: ['T1567'], owasp: ['CICD-SEC-6'], falseAlarms: ['Publication as planned.'] },
  why: 'What {tripline.change.author} wrote there is everybody’s now.',
  remedy: ['Ask {user.name} whether that was meant.'],
};
const ruleOf = (row: Row, table = visibility) => rulesOf(table, [row])[0]!;

test('a row is a rule: id, wording and subject follow from it, the rest from its table', () => {
  const rule = ruleOf(['publicized', 'Repository made public', 'high']);
  expect(rule).toMatchObject({
    id: 'control-publicized',
    severity: 'high',
    attack: ['T1567'],
    feeds: { needs: ['github'] },
  });
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada      creates ruleset main of acme/app
    09:01  mallory  makes acme/app public     ← FOUND acme/app [high/high]
    `,
  );
  expect(findings[0]).toMatchObject({
    title: 'Repository made public: acme/app, by mallory',
    summary: 'Repository made public: acme/app, by mallory. What something unnamed wrote there is everybody’s now.',
    remedy: ['Ask mallory whether that was meant.'],
    response: [],
    entities: [
      { kind: 'user', id: 'mallory' },
      { kind: 'repository', id: 'acme/app' },
    ],
  });
});

test('what differs stands in the row: its own words, a value that must be there too, a response', () => {
  const rule = ruleOf([
    'publicized',
    'Secrets made public',
    'critical',
    {
      ...{ attack: ['T1552'], why: 'Read it all.', when: { 'vcs.repository.name': ['acme/vault'] } },
      respond: () => [
        { action: 'block-user', provider: 'github', instance: 'github.com', organization: 'acme', user: 'mallory' },
      ],
    },
  ]);
  expect(rule.attack).toEqual(['T1552']);
  const { findings } = expectTimeline(
    rule,
    `
    09:01  mallory  makes acme/app public
    09:02  mallory  makes acme/vault public     ← FOUND acme/vault [critical/high]
    `,
  );
  expect(findings[0]).toMatchObject({
    summary: expect.stringContaining('Read it all.'),
    response: [{ action: 'block-user' }],
  });
});

describe('what the record says', () => {
  const table = {
    ...visibility,
    on: ['dev.cdeventsx.tripline-audit.recorded'],
    attribute: 'tripline.audit.action',
  } as const;
  const found = (row: Row, record: Record<string, string | boolean | string[]>) => {
    const data = { 'tripline.audit.action': 'repo.access', 'user.name': 'mallory', 'tripline.audit.record': record };
    const events = [at(1, 'dev.cdeventsx.tripline-audit.recorded', data)];
    return playTimeline({ rules: [ruleOf(row, table)], events, untilMs: 2 }).findings;
  };
  const says = { visibility: ['public'] };

  test('decides where a row asks for it, by any member of a list, and by no field that is absent', () => {
    const row: Row = ['repo.access', 'Made public', 'high', { says, unless: { actor_is_bot: ['true'] } }];
    expect(found(row, { visibility: 'Public' })[0]).toMatchObject({
      summary: expect.stringContaining('The record says: visibility Public.'),
    });
    expect(found(row, { visibility: ['internal', 'public'] })).toHaveLength(1);
    expect(found(row, { visibility: 'private' })).toEqual([]);
    expect(found(row, {})).toEqual([]);
    expect(found(row, { visibility: 'public', actor_is_bot: true })).toEqual([]);
  });

  test('stands in the description, and two rows of one value are two rules', () => {
    const [open, other] = rulesOf(table, [
      ['repo.access', 'Made public', 'high', { says }],
      [
        'repo.access',
        'Access changed',
        'low',
        { as: 'other', unless: says, also: ['repo.visibility'], undocumented: ['repo.visibility'] },
      ],
    ]);
    expect(open!.description).toMatch(/^Made public: `repo\.access`, where `visibility` is public\. /);
    expect(other!.description).toMatch(
      /^Access changed: `repo\.access` or `repo\.visibility` \(undocumented\), unless `visibility` is public\. /,
    );
    expect([open!.id, other!.id]).toEqual(['control-repo-access', 'control-repo-access-other']);
    expect(other!.where!.oneOf).toEqual(['repo.access', 'repo.visibility']);
  });
});

test('what honest teams do daily is off by default, and nothing of the kind is grave', () => {
  expect(ruleOf(['publicized', 'Made public', 'low', { ordinary: 'daily' }]).offByDefault).toBeDefined();
  expect(ruleOf(['publicized', 'Made public', 'low', { ordinary: 'weekly' }]).offByDefault).toBeUndefined();
  for (const more of [{ ordinary: 'weekly' }, { tightens: true }, { better: ['release-tag-moved'] }] as const)
    expect(() => ruleOf(['publicized', 'Made public', 'medium', more])).toThrow('its severity must be low');
});

test('a row that cannot be meant is refused before it judges anything', () => {
  expect(() => ruleOf(['publicized', 'Made public', 'high', { why: '{user.nmae} did it' }])).toThrow(
    '{user.nmae} is no attribute of events',
  );
  expect(() => ruleOf(['publicized', 'made public.', 'high'])).toThrow('must be a heading');
  expect(() => ruleOf(['made public', 'Made public', 'high'])).toThrow('is no value');
  const row: Row = ['repo.access', 'Access changed', 'low'];
  expect(() => rulesOf(visibility, [row, ['repo_access', 'Access changed', 'low']])).toThrow(
    'two rows make the rule control-repo-access',
  );
});
