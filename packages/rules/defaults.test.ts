import { pagerdutySettings } from '@tripline/integrations/pagerduty/settings';
import { describe, expect, test } from 'vitest';
import { renderCoverage } from './coverage.ts';
import { defaultOf, pagesByDefault, pagesFrom, renderDefaults } from './defaults.ts';
import { rules } from './registry.ts';
import { waiting } from './waiting.ts';

const ruleOf = (id: string) => rules.find((rule) => rule.id === id)!;

describe('by default', () => {
  test('what pages is what PagerDuty’s setting lets through', () => {
    expect(pagerdutySettings.parse({ routingKey: 'x'.repeat(32) }).minSeverity).toBe(pagesFrom);
  });

  test('severity decides, unless the rule says otherwise or always tells', () => {
    expect(pagesByDefault(ruleOf('token-bulk-clone'))).toBe(true);
    expect(pagesByDefault(ruleOf('credential-new-hosted-class'))).toBe(false);
    expect(pagesByDefault(ruleOf('break-glass-opened'))).toBe(true);
    expect(defaultOf(ruleOf('privilege-grant-outside-job'))).toEqual({
      does: 'informs',
      why: expect.stringContaining('`grantingWorkflows`'),
    });
    const off = { does: 'nothing', why: 'Nobody said which.' } as const;
    expect(defaultOf({ ...ruleOf('token-bulk-clone'), untilConfigured: off })).toEqual(off);
    const daily = defaultOf({ ...ruleOf('token-bulk-clone'), offByDefault: 'Ordinary teams do it daily.' });
    expect(daily).toEqual({ does: 'nothing', why: 'Ordinary teams do it daily. `rules.on` has it run.' });
  });

  test('every rule stands on the page once, with a reason', () => {
    const page = renderDefaults(rules);
    for (const rule of rules) {
      expect(page.split(`[${rule.id}](`)).toHaveLength(2);
      expect(defaultOf(rule).why).toMatch(/^[A-Z].*[.!]$/);
    }
  });
});

describe('coverage', () => {
  test('names each rule in every table that it belongs to, and says where there is none', () => {
    const page = renderCoverage([ruleOf('token-bulk-clone')]);
    const line = (begins: string) => page.split('\n').find((one) => one.startsWith(`| ${begins}`));
    const named = '1: [token-bulk-clone](CATALOGUE.md#token-bulk-clone)';
    expect(line('2: Identity')).toContain(named);
    expect(line('CICD-SEC-6')).toContain(named);
    expect(line('T1213.003')).toContain(named);
    expect(line('github-audit')).toContain(named);
    expect(line('CICD-SEC-8')).toContain('**none**');
  });

  test('what waits for a feed is no rule yet', () => {
    expect(waiting.map(({ id }) => id).filter((id) => rules.some((rule) => rule.id === id))).toEqual([]);
  });
});
