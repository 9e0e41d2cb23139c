import { join } from 'node:path';
import { ConfigError, loadConfig } from '@tripline/runtime/config';
import { describe, expect, test } from 'vitest';
import { loadRules } from './load-rules.ts';

const baseDir = join(import.meta.dirname, '../../test');
const config = (rules: object, more: object = {}) => {
  const base = loadConfig({}, '/');
  return { ...base, baseDir, ...more, rules: { ...base.rules, ...rules } };
};

describe('loading rules', () => {
  test("puts the user's after ours, and leaves out what is off", async () => {
    const own = await loadRules(config({}));
    const some = await loadRules(config({ files: ['detector.third-rule.ts'], off: [own[0]!.rule.id] }));
    expect(some.map(({ rule }) => rule.id)).toEqual([...own.slice(1).map(({ rule }) => rule.id), 'third-branch']);
  });

  test.each([
    ['an unknown rule', config({ off: ['no-such-rule'] }), 'rules.off: there is no rule no-such-rule'],
    [
      'a wrong setting',
      config({ files: ['detector.rules.ts'], settings: { 'lingering-branch': { holdMs: 'long' } } }),
      'rules.settings.lingering-branch.holdMs',
    ],
    ['a file that is missing', config({ files: ['nowhere.ts'] }), 'rules.files: nowhere.ts cannot be loaded'],
    ['a file without a rule', config({ files: ['setup/postgres.ts'] }), 'exports no rule'],
    [
      'a rule twice',
      config({ files: ['detector.third-rule.ts', 'detector.third-rule.ts'] }),
      'there is already a rule third-branch',
    ],
  ])('names %s', async (_, wrong, message) => {
    const failure = await loadRules(wrong).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect((failure as Error).message).toContain(message);
  });
});
