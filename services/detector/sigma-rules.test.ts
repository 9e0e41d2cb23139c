import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadRuleSet, type RuleSet, RuleSetError } from './load-rules.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-sigma-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}
const rule = (title: string, more = '', detection = '  s:\n    action: org.add_member\n  condition: s\n') =>
  `title: ${title}\n${more}logsource:\n  product: github\n  service: audit\ndetection:\n${detection}`;
const settings = (more: object = {}) => ({ rules: { sigma: ['sigma'] }, ...more });
function load(former?: RuleSet, more: object = {}): Promise<RuleSet> {
  write('tripline.yaml', JSON.stringify(settings(more)));
  return loadRuleSet(loadConfig({}, folder), former);
}
const ids = ({ rules }: RuleSet) =>
  rules.filter(({ rule: { kind } }) => kind === 'sigma').map(({ rule: { id } }) => id);
const faultOf = (loading: Promise<RuleSet>) => loading.then(() => 'loaded').catch((error: unknown) => error as Error);

describe('folders of Sigma rules', () => {
  test('are loaded with all beneath them, and what is outside of the subset is refused by name', async () => {
    write('sigma/a.yml', rule('One'));
    write(
      'sigma/github/audit/b.yaml',
      `${rule('Two', 'id: 5A5A2B5E-0000-4000-8000-000000000001\n')}---\n${rule('Three')}`,
    );
    write(
      'sigma/windows.yml',
      rule('Windows').replace('product: github', 'product: windows').replace('service: audit', 'service: security'),
    );
    write('sigma/counting.yml', rule('Counting', '', '  s:\n    a: b\n  condition: s | count() > 5\n'));
    write('sigma/one-again.yml', rule('One'));
    write('sigma/broken.yml', 'a: [\n');
    write('sigma/README.md', 'no rule');
    write('sigma/.git/c.yml', 'no rule');
    const set = await load();
    expect(ids(set)).toEqual(['sigma-one', 'sigma-5a5a2b5e-0000-4000-8000-000000000001', 'sigma-three']);
    expect(set.sigma.rules.map(({ sigma }) => sigma)).toEqual([
      { id: null, file: 'sigma/a.yml' },
      { id: '5A5A2B5E-0000-4000-8000-000000000001', file: 'sigma/github/audit/b.yaml' },
      { id: null, file: 'sigma/github/audit/b.yaml' },
    ]);
    expect(set.sigma.refused.map(({ file, reason, isOther }) => [file, reason.slice(0, 38), isOther])).toEqual([
      ['sigma/broken.yml', expect.stringContaining('no YAML'), false],
      ['sigma/counting.yml', 'the condition `s | count() > 5` counts', false],
      ['sigma/one-again.yml', 'sigma/a.yml already has a rule of this', false],
      ['sigma/windows.yml', expect.stringContaining('no feed tells the log source'), true],
    ]);
  });

  test('that are not there, and files that others may write, are named', async () => {
    expect(await faultOf(load())).toMatchObject({
      message: expect.stringContaining('rules.sigma: sigma cannot be read'),
    });
    write('sigma/a.yml', rule('One'));
    chmodSync(join(folder, 'sigma/a.yml'), 0o666);
    expect(await faultOf(load())).toMatchObject({
      message: expect.stringMatching(/^rules\.sigma: sigma\/a\.yml cannot be read: .* can be written by everybody/),
    });
  });

  test('hold rules that settings may name, those too that are refused', async () => {
    write('sigma/a.yml', rule('One'));
    write('sigma/b.yml', rule('Two', '', '  s:\n    a|windash: b\n  condition: s\n'));
    const named = (id: string) => ({ overrides: [{ rule: id, severity: 'low' }] });
    expect(ids(await load(undefined, named('sigma-one')))).toEqual(['sigma-one']);
    expect(ids(await load(undefined, named('sigma-two')))).toEqual(['sigma-one']);
    expect(await faultOf(load(undefined, named('sigma-three')))).toMatchObject({
      message: 'overrides: there is no rule sigma-three; `tripline rules` lists them',
    });
    expect(ids(await load(undefined, { rules: { sigma: ['sigma'], off: ['sigma-one'] } }))).toEqual([]);
  });

  test('are the former where nothing in them changed, and make another version where something did', async () => {
    write('sigma/a.yml', rule('One'));
    const first = await load();
    const second = await load(first);
    expect(second.sigma).toBe(first.sigma);
    expect(second.rules).toBe(first.rules);
    write('sigma/a.yml', rule('One', 'level: high\n'));
    const third = await load(first);
    expect(third.version).not.toBe(first.version);
    expect(third.rules.at(-1)!.rule.severity).toBe('high');
  });

  test('take nothing out of force by a mistake: what was in force and is refused now is a fault, what was removed is not', async () => {
    write('sigma/a.yml', rule('One'));
    write('sigma/b.yml', rule('Two'));
    const first = await load();
    write('sigma/b.yml', 'title: [\n');
    const fault = await faultOf(load(first));
    expect(fault).toBeInstanceOf(RuleSetError);
    expect((fault as Error).message).toMatch(/^rules\.sigma: sigma\/b\.yml: Two is in force, and now refused: no YAML/);
    rmSync(join(folder, 'sigma/b.yml'));
    expect(ids(await load(first))).toEqual(['sigma-one']);
    write('sigma/c.yml', 'title: [\n');
    expect(ids(await load(first))).toEqual(['sigma-one']);
  });
});
