import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import type { Finding } from '@tripline/contracts/finding';
import { silenceOf } from '@tripline/contracts/silence';
import { overridden } from '@tripline/engine/settings';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRuleSet, type RuleSet } from './load-rules.ts';
import { coverOf } from './record-batches.ts';

/** What settings say of a row of a table and of a Sigma rule holds as it does for any rule. */
let folder: string;
const row = 'audit-org-disable-saml';
const sigma = 'sigma-5a5a2b5e-0000-4000-8000-000000000001';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-policies-'));
  mkdirSync(join(folder, 'sigma'));
  writeFileSync(
    join(folder, 'sigma/saml.yml'),
    `title: Single sign-on off\nid: ${sigma.slice(6)}\nlevel: high\nlogsource:\n  product: github\n  service: audit\ndetection:\n  s:\n    action: org.disable_saml\n  condition: s\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const until = '2100-01-01T00:00:00Z';
async function load(more: object): Promise<RuleSet> {
  writeFileSync(join(folder, 'tripline.yaml'), JSON.stringify({ rules: { sigma: ['sigma'] }, ...more }));
  return loadRuleSet(loadConfig({}, folder));
}
const faultOf = (more: object) =>
  load(more)
    .then(() => 'loaded')
    .catch((error: unknown) => (error as Error).message);

/** What a rule finds in a record of somebody who switches single sign-on off. */
function found({ rules }: RuleSet, id: string): Finding {
  const event = at(Date.parse('2026-01-01T00:00:00Z'), 'dev.cdeventsx.tripline-audit.recorded', {
    ...{ 'user.name': 'ada', 'user.id': '41', 'vcs.provider.name': 'github', 'vcs.owner.name': 'acme' },
    ...{ 'client.address': '203.0.113.7', 'tripline.audit.action': 'org.disable_saml', 'tripline.audit.id': 'x' },
    'tripline.audit.record': { action: 'org.disable_saml', actor: 'ada' },
  }) as LoggedEventInput;
  const { rule } = rules.find((one) => one.rule.id === id)!;
  return playTimeline({ rules: [rule], events: [event], untilMs: Date.parse('2026-01-01T01:00:00Z') }).findings[0]!;
}

describe.each([row, sigma])('%s', (rule) => {
  const base = { rules: [rule], owner: 'ada', reason: 'the move to the new provider', until };

  test.each([
    ['who did it', { user: 'ada:41' }, true],
    ['somebody else', { user: 'bob:42' }, false],
    ['the network', { cidr: '203.0.113.0/24' }, true],
    ['another network', { cidr: '198.51.100.0/24' }, false],
    ['a repository that it does not name', { repository: 'acme/app' }, false],
  ])('an exception for %s holds as it says', async (_, when, isCovered) => {
    const set = await load({ exceptions: [{ ...base, when }] });
    expect(coverOf(set)(found(set, rule)) !== undefined).toBe(isCovered);
  });

  test('a silence holds by its id, by how it begins, and by what it is about', async () => {
    const soon = new Date(Date.now() + 86_400_000).toISOString();
    for (const scope of [{ rule }, { rule: `${rule.slice(0, 6)}*` }, { subject: 'acme' }, { actor: 'ada' }]) {
      const set = await load({ silences: [{ ...scope, until: soon, reason: 'known' }] });
      expect(silenceOf(found(set, rule), set.silences)).toBeDefined();
    }
  });

  test('an override of severity, surety or paging holds', async () => {
    const set = await load({ overrides: [{ rule, severity: 'low', page: false, minConfidence: 'high' }] });
    const finding = found(set, rule);
    const configured = set.rules.find((one) => one.rule.id === rule)!;
    expect(overridden(configured.overrides, 'severity', finding)).toBe('low');
    expect(overridden(set.overrides, 'page', finding)).toBe(false);
    expect(coverOf(set)({ ...finding, confidence: 'medium' })).toMatchObject({
      reason: expect.stringContaining('medium'),
    });
    expect(coverOf(set)({ ...finding, confidence: 'high' })).toBeUndefined();
  });

  test.each([
    ['an exception that fits everything', { exceptions: [{ ...base, when: {} }] }, 'it would except everything'],
    ['one for everybody', { exceptions: [{ ...base, when: { user: '*' } }] }, 'it would except everything'],
    [
      'one for all of the internet',
      { exceptions: [{ ...base, when: { cidr: '0.0.0.0/0' } }] },
      'is no network that may be excepted',
    ],
    ['one for a login', { exceptions: [{ ...base, when: { user: 'ada' } }] }, 'is a login, which can change hands'],
    ['one for all rules', { exceptions: [{ ...base, rules: ['*'], when: { user: 'ada:41' } }] }, 'there is no rule *'],
    ['a silence for everything', { silences: [{ rule: '*', until, reason: 'x' }] }, 'it would silence everything'],
    [
      'a setting that it does not have',
      { overrides: [{ rule, settings: { quota: 3 } }] },
      `rules.settings.${rule} (with its overrides)`,
    ],
    ['an override that says nothing', { overrides: [{ rule }] }, 'it overrides nothing'],
  ])('refuses %s, in words', async (_, more, message) => {
    expect(await faultOf(more)).toContain(message);
  });
});
