import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { rules as ownRules } from '@tripline/rules/registry';
import { ConfigError } from '@tripline/runtime/load-settings';
import { describe, expect, test } from 'vitest';
import { loadRules } from './load-rules.ts';

const baseDir = join(import.meta.dirname, '../../test');
const config = (rules: object, more: object = {}) => {
  const base = loadConfig({}, '/');
  return { ...base, baseDir, ...more, rules: { ...base.rules, ...rules } };
};

describe('a file of rules that others may write', () => {
  /** Runs `tripline rules` on a tripline.yaml that names rule.ts; answers its status and what it said. */
  function run(open: 'rule.ts' | 'part.ts') {
    const folder = mkdtempSync(join(tmpdir(), 'tripline-rules-'));
    try {
      writeFileSync(join(folder, 'tripline.yaml'), 'rules: { files: [rule.ts] }\n');
      writeFileSync(join(folder, 'rule.ts'), `import './part.ts';\nconsole.log('RAN rule.ts');\n`);
      writeFileSync(join(folder, 'part.ts'), `console.log('RAN part.ts');\n`);
      chmodSync(join(folder, open), 0o666);
      const program = join(import.meta.dirname, '../../packages/cli/tripline.mjs');
      const options = { cwd: folder, env: { PATH: process.env['PATH'] }, encoding: 'utf8', stdio: 'pipe' } as const;
      return { status: 0, said: execFileSync(process.execPath, [program, 'rules'], options) };
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
      return { status, said: stdout + stderr };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  test.each(['rule.ts', 'part.ts'] as const)('is not run: %s', (open) => {
    const { status, said } = run(open);
    expect(said).not.toContain('RAN');
    expect(said).toMatch(new RegExp(`^tripline: rules.files: rule.ts cannot be loaded: .*${open} can be written by`));
    expect(status).toBe(1);
  });
});

test('a file of rules that package.json makes CommonJS is refused with what to do about it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-rules-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
    writeFileSync(join(folder, 'tripline.yaml'), 'rules: { files: [rule.ts] }\n');
    writeFileSync(join(folder, 'rule.ts'), `import { rule } from './part.ts';\nexport { rule };\n`);
    const program = join(import.meta.dirname, '../../packages/cli/tripline.mjs');
    const ran = spawnSync(process.execPath, [program, 'rules', 'validate'], { cwd: folder, encoding: 'utf8' });
    expect(ran.stderr).toContain(
      'rules.files: rule.ts cannot be loaded: Cannot use import statement outside a module; the package.json above it makes it CommonJS: set "type": "module" there, or have the file end in .mts',
    );
    expect(ran.status).toBe(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('loading rules', () => {
  test("puts the user's after ours, and leaves out what is off", async () => {
    const own = await loadRules(config({}));
    const some = await loadRules(config({ files: ['detector.third-rule.ts'], off: [own[0]!.rule.id] }));
    expect(some.map(({ rule }) => rule.id)).toEqual([...own.slice(1).map(({ rule }) => rule.id), 'third-branch']);
  });

  test('leaves out what is off by default, unless it is asked for by itself or by how its id begins', async () => {
    const ids = async (rules: object) => (await loadRules(config(rules))).map(({ rule }) => rule.id);
    const daily = ownRules.filter(({ offByDefault }) => offByDefault !== undefined).map(({ id }) => id);
    const [first = '', second = ''] = daily;
    expect((await ids({})).filter((id) => daily.includes(id))).toEqual([]);
    expect((await ids({ on: [second] })).filter((id) => daily.includes(id))).toEqual([second]);
    expect(await ids({ on: [`${first.slice(0, 5)}*`] })).toContain(first);
    expect(await ids({ on: [second], off: ['token-bulk-clone'] })).not.toContain('token-bulk-clone');
  });

  test('has the App of the settings known as our own, unless they say otherwise', async () => {
    const base = loadConfig({}, '/');
    const ownApps = async (settings: object) => {
      const github = { ...base.github, app: { id: '7', privateKey: 'x' } };
      const all = await loadRules({ ...config({ settings }), github });
      return (all.find(({ rule }) => rule.id === 'privilege-grant-outside-job')!.settings as { ownApps: string[] })
        .ownApps;
    };
    expect(await ownApps({})).toEqual(['7']);
    expect(await ownApps({ 'privilege-grant-outside-job': { ownApps: ['8'] } })).toEqual(['8']);
  });

  test('has the Apps of the broker known as those whose tokens it mints, where their slug is told', async () => {
    const base = loadConfig({}, '/');
    const apps = async (settings: object) => {
      const of = { privateKey: 'x' };
      const broker = {
        ...base.broker,
        apps: [
          { ...of, id: '7', slug: 'acme-access' },
          { ...of, id: '8', tiers: ['dev'] },
        ],
      };
      const all = await loadRules({ ...config({ settings }), broker });
      return (all.find(({ rule }) => rule.id === 'token-not-minted-by-broker')!.settings as { apps: string[] }).apps;
    };
    expect(await apps({})).toEqual(['acme-access[bot]']);
    expect(await apps({ 'token-not-minted-by-broker': { apps: ['other[bot]'] } })).toEqual(['other[bot]']);
  });

  test('has the settings of a wider rule hold for the narrower, as far as it has none of its own', async () => {
    const granting = { grantingWorkflows: ['acme/access/.github/workflows/grant.yml'], grantingActors: ['b[bot]'] };
    const ofWider = { ...granting, exemptActors: ['idp[bot]'] };
    const overrides = [{ rule: 'privilege-grant-outside-job', workspace: 'other', settings: { graceMs: 7 } }];
    const all = await loadRules(
      config(
        {
          settings: {
            'privilege-grant-outside-job': ofWider,
            'deploy-key-write-added': { exemptActors: ['flux[bot]'] },
          },
        },
        { overrides },
      ),
    );
    const narrower = all.find(({ rule }) => rule.id === 'deploy-key-write-added')!;
    expect(narrower.settings).toMatchObject({ ...granting, exemptActors: ['flux[bot]'], graceMs: 60_000 });
    expect(narrower.byWorkspace?.get('other')).toMatchObject({ ...granting, exemptActors: ['flux[bot]'], graceMs: 7 });
  });

  test('takes several rules of a file, and what is to hold otherwise of one', async () => {
    const overrides = [{ rule: 'third-branch-again', severity: 'low' as const }];
    const rules = await loadRules(config({ files: ['detector.several-rules.ts'] }, { overrides }));
    expect(rules.slice(-2).map(({ rule, overrides: of }) => [rule.id, of])).toEqual([
      ['third-branch', undefined],
      ['third-branch-again', overrides],
    ]);
  });

  test.each([
    [
      'an unknown rule of an override',
      config({}, { overrides: [{ rule: 'no-such' }] }),
      'overrides: there is no rule no-such',
    ],
    [
      'a rule of a former id',
      config({ off: ['leak-or-exposure'] }),
      'rules.off: there is no rule leak-or-exposure any more; name secret-leaked or repository-exposed, or both',
    ],
    ['an unknown rule', config({ off: ['no-such-rule'] }), 'rules.off: there is no rule no-such-rule'],
    ['an unknown rule to run', config({ on: ['no-such-rule'] }), 'rules.on: there is no rule no-such-rule'],
    ['nothing to run', config({ on: ['state-*'] }), 'rules.on: no rule that is off by default begins with state-'],
    [
      'a rule that is to run and not to run',
      config({ on: ['token-bulk-clone'], off: ['token-bulk-clone'] }),
      'rules.on: token-bulk-clone is under rules.off too',
    ],
    ['what is always on', config({ off: ['state-flooded'] }), 'rules.off: state-flooded says that others may be wrong'],
    [
      'a wrong setting',
      config({ files: ['detector.rules.ts'], settings: { 'lingering-branch': { holdMs: 'long' } } }),
      'rules.settings.lingering-branch.holdMs',
    ],
    [
      'what a rule supersedes and is not there',
      config({ files: ['detector.superseding-rules.ts'] }),
      'nothing-wider supersedes no-such-rule, and there is no such rule',
    ],
    [
      'what a rule supersedes that is always reported',
      config({ files: ['detector.superseding-rules.ts'] }),
      'hides-a-door supersedes break-glass-opened, which is always reported',
    ],
    [
      'rules that supersede each other',
      config({ files: ['detector.superseding-rules.ts'] }),
      'one-of-two supersedes itself, by way of others',
    ],
    ['a file that is missing', config({ files: ['nowhere.ts'] }), 'rules.files: nowhere.ts cannot be loaded'],
    ['a file without a rule', config({ files: ['simulation/random.ts'] }), 'exports no rule'],
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

  test('names a file that cannot be loaded, and no rule as missing that may be in it', async () => {
    const wrong = config(
      { files: ['nowhere.ts', 'detector.superseding-rules.ts'], off: ['my-rule'] },
      { overrides: [{ rule: 'my-rule' }] },
    );
    const { message } = (await loadRules(wrong).catch((error: unknown) => error)) as Error;
    expect(message).toContain('rules.files: nowhere.ts cannot be loaded');
    expect(message).not.toMatch(/there is no (such )?rule/);
  });
});
