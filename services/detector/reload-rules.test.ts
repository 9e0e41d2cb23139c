import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { createReloading } from '@tripline/config/reload';
import { checkHealth } from '@tripline/health/health';
import type { Clock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { loadRuleSet, type RuleSet } from './load-rules.ts';
import { startReloading } from './reload-rules.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-reload-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const write = (file: string, text: string) => writeFileSync(join(folder, file), text);
/** A rule of the user's that needs nothing but what it says. */
const ruleText = (id: string, title: string) =>
  `import { title } from './words/title.mjs';
   const settings = { safeParse: () => ({ success: true, data: {} }), parse: (given) => given };
   export const rule = { id: '${id}', title, description: 'd', severity: 'low', confidence: 'low', principles: [1],
     attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: ['${title}'], reads: ['dev.cdevents.branch.created'],
     settings, learns: false, judge: () => {} };\n`;

/** What a detector is told while files change; `look` has the files looked at as often as it takes. */
async function reloading() {
  const said: string[] = [];
  const logged: string[] = [];
  const used: RuleSet[] = [];
  const config = loadConfig({}, folder);
  const ruleSet = await loadRuleSet(config);
  let pause: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => 0,
    pause: (_, signal) =>
      new Promise((resolve) => {
        pause = resolve;
        signal?.addEventListener('abort', () => resolve());
      }),
  };
  const metrics = createMetrics({ service: 'test' });
  const asked = createReloading(config, {
    ...{ read: () => loadConfig({}, folder), say: (line: string) => void said.push(line), runsRules: true },
    sentenceFor: (error) => (error as Error).message,
  });
  const db = database.as('detector');
  const logger = createLogger({ service: 'test', level: 'error' }, { write: (line) => void logged.push(line) });
  const detector = { use: async (next: RuleSet) => void used.push(next) };
  const started = startReloading({ config, reloading: asked, detector, ruleSet, db, logger, clock, metrics });
  return {
    ...{ said, logged, used, config, ruleSet, close: started.close },
    hangUp: () => asked.reload('all'),
    look: async () => {
      for (let times = 0; times < 3; times += 1) {
        await expect.poll(() => pause).toBeDefined();
        const resume = pause!;
        pause = undefined;
        resume();
        await expect.poll(() => pause, { timeout: 20_000 }).toBeDefined();
      }
    },
    broken: async () =>
      (await checkHealth(db, { workspaces: [] }, { skipsDenied: true })).filter(({ name }) =>
        name.startsWith('rules '),
      ),
    successful: async () =>
      (await metrics.getSingleMetric('tripline_detector_last_reload_successful')!.get()).values[0]!.value,
  };
}
type Settings = { [name: string]: unknown };
const settings = (more: Settings = {}) =>
  write('tripline.yaml', JSON.stringify({ rules: { files: ['rules'] }, ...more }));
function someRules(): void {
  mkdirSync(join(folder, 'rules/words'), { recursive: true });
  write('rules/words/title.mjs', `export const title = 'first';\n`);
  write('rules/one.mjs', ruleText('own-one', 'x'));
  settings();
}
const titlesOf = ({ rules }: RuleSet) => rules.slice(-1).map(({ rule }) => rule.falseAlarms[0]);

test('a file that changes is taken anew once it stays as it is, and one that is touched is not', async () => {
  someRules();
  const by = await reloading();
  expect(titlesOf(by.ruleSet)).toEqual(['x']);
  write('rules/one.mjs', ruleText('own-one', 'y'));
  await by.look();
  expect(by.used.map(titlesOf)).toEqual([['y']]);
  write('rules/one.mjs', ruleText('own-one', 'y'));
  await by.look();
  expect(by.used).toHaveLength(1);
  write('rules/two.mjs', ruleText('own-two', 'second'));
  await by.look();
  expect(
    by.used
      .at(-1)!
      .rules.slice(-2)
      .map(({ rule }) => rule.id),
  ).toEqual(['own-one', 'own-two']);
  rmSync(join(folder, 'rules/one.mjs'));
  await by.look();
  expect(by.used.at(-1)!.own.rules.map(({ file }) => file)).toEqual(['rules/two.mjs']);
  expect(new Set(by.used.map(({ version }) => version)).size).toBe(3);
  await by.close();
});

test('the first tripline.yaml is taken, where there was none at the start', async () => {
  const by = await reloading();
  expect(by.config.file).toBeNull();
  const until = new Date(Date.now() + 3_600_000).toISOString();
  write('tripline.yaml', JSON.stringify({ silences: [{ rule: 'release-tag-moved', until, reason: 'r' }] }));
  await by.look();
  expect(by.used).toHaveLength(1);
  expect(by.config.silences).toHaveLength(1);
  expect(by.said.join('')).toContain('now in force: silences');
  await by.close();
});

test('Sigma rules are taken anew as own rules are; one that can no longer be read leaves the former in force', async () => {
  const sigma = (level: string) =>
    `title: Member added\nlevel: ${level}\nlogsource:\n  product: github\n  service: audit\ndetection:\n  s:\n    action: org.add_member\n  condition: s\n`;
  mkdirSync(join(folder, 'sigma/audit'), { recursive: true });
  write('sigma/audit/member.yml', sigma('low'));
  write('tripline.yaml', JSON.stringify({ rules: { sigma: ['sigma'] } }));
  const by = await reloading();
  const severities = (set: RuleSet) => set.rules.flatMap(({ rule }) => (rule.kind === 'sigma' ? [rule.severity] : []));
  expect(severities(by.ruleSet)).toEqual(['low']);
  write('sigma/audit/member.yml', sigma('high'));
  await by.look();
  expect(by.used.map(severities)).toEqual([['high']]);
  write('sigma/audit/odd.yml', sigma('low').replace('Member added', 'Odd').replace('action:', 'action|re: (a)\\1 #'));
  await by.look();
  expect(by.logged.join('')).toMatch(
    /Sigma rule refused; the others are in force: Odd of sigma\/audit\/odd\.yml: .*RE2/,
  );
  rmSync(join(folder, 'sigma/audit/odd.yml'));
  await by.look();
  by.used.splice(1);
  write('sigma/audit/member.yml', 'title: [\n');
  await by.look();
  expect(by.used).toHaveLength(1);
  expect(await by.successful()).toBe(0);
  expect((await by.broken())[0]?.detail).toContain('rules.sigma: sigma/audit/member.yml: Member added is in force');
  write('sigma/audit/member.yml', sigma('critical'));
  await by.look();
  expect(by.used.map(severities).at(-1)).toEqual(['critical']);
  expect(await by.successful()).toBe(1);
  await by.close();
});

test('what is wrong leaves all of the former in force, and is told until it is mended', async () => {
  someRules();
  const by = await reloading();
  write('rules/one.mjs', `throw new Error('no rule today');\n`);
  settings({ silences: [{ rule: 'own-one', until: new Date(Date.now() + 3_600_000).toISOString(), reason: 'r' }] });
  await by.look();
  expect(by.used).toEqual([]);
  expect(by.config.silences).toEqual([]);
  // Once: the log of a service stands beside what it says, and under `up` it is shown on the same terminal.
  expect(by.said).toEqual([]);
  const wrong = /those in force stay until .*: rules.files: rules\/one.mjs cannot be loaded: no rule today/;
  expect(by.logged).toEqual([expect.stringMatching(wrong)]);
  await by.hangUp();
  expect(by.logged).toHaveLength(2);
  expect(await by.successful()).toBe(0);
  expect(await by.broken()).toMatchObject([{ state: 'broken', detail: expect.stringContaining('one.mjs') }]);
  // The import that it misses comes.
  write('rules/one.mjs', `import './late.mjs';\n${ruleText('own-one', 'z')}`);
  await by.look();
  expect(by.used).toEqual([]);
  write('rules/words/late.mjs', '');
  write('rules/one.mjs', `import './words/late.mjs';\n${ruleText('own-one', 'z')}`);
  await by.look();
  expect(by.used.map(titlesOf)).toEqual([['z']]);
  expect(by.used[0]!.silences).toHaveLength(1);
  expect(by.config.silences).toHaveLength(1);
  expect(await by.successful()).toBe(1);
  expect(await by.broken()).toEqual([]);
  await by.close();
});

test.each([
  ['rules: {', 'is no valid YAML at line'],
  ['rules: { off: [nothing] }', 'rules.off: there is no rule nothing'],
  ['overrides: [{ rule: grant-outlived-job, settings: { nonsense: 1 } }]', 'rules.settings.grant-outlived-job'],
  [
    'exceptions: [{ rules: [grant-outlived-job], when: {}, owner: o, reason: r, until: 2030-01-01T00:00:00Z }]',
    'exceptions.0',
  ],
  ['overrides: [{ rule: break-glass-opened, page: false }]', 'overrides.0.page: its findings always page'],
  ['rules: { files: [none] }', 'rules.files: none cannot be loaded: ENOENT'],
])('a tripline.yaml that is wrong changes nothing: %s', async (text, why) => {
  someRules();
  const by = await reloading();
  write('tripline.yaml', text);
  await by.look();
  expect([by.said, by.logged]).toEqual([[], [expect.stringContaining(why)]]);
  expect([by.used, by.config.rules.files]).toEqual([[], ['rules']]);
  settings({ learningDays: 3 });
  await by.hangUp();
  expect(by.said.at(-1)).toBe(
    'settings were reloaded: what was wrong is corrected; nothing that is in force changed; restart to apply learningDays',
  );
  await by.close();
  expect(await by.broken()).toEqual([]);
});

test('what lets responses loose waits for SIGHUP', async () => {
  someRules();
  const by = await reloading();
  settings({ overrides: [{ rule: 'own-one', severity: 'high' }], remediation: { mode: 'automatic' } });
  await by.look();
  expect(by.said.at(-1)).toMatch(
    /now in force: overrides, rules of version [0-9a-f]{16}; SIGHUP applies remediation.mode/,
  );
  expect(by.config.remediation.mode).toBe('dry-run');
  await by.hangUp();
  expect(by.said.at(-1)).toContain('now in force: remediation.mode');
  expect(by.used).toHaveLength(1);
  await by.close();
});

test('what a rule imports is loaded anew with it, and our own rooms are not', () => {
  someRules();
  write(
    'rules/one.mjs',
    `import { eventTypes } from '@tripline/contracts/event';\nglobalThis.seen = [...(globalThis.seen ?? []), eventTypes];\n${ruleText('own-one', 'x')}`,
  );
  const script = join(folder, 'twice.mjs');
  const room = (path: string) => JSON.stringify(join(import.meta.dirname, path));
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs';
     const { loadConfig } = await import(${room('../../packages/config/config.ts')});
     const { loadRuleSet } = await import(${room('load-rules.ts')});
     const config = loadConfig({}, ${JSON.stringify(folder)});
     const first = await loadRuleSet(config);
     const same = await loadRuleSet(config, first);
     writeFileSync(${JSON.stringify(join(folder, 'rules/words/title.mjs'))}, "export const title = 'second';");
     const second = await loadRuleSet(config, same);
     writeFileSync(${JSON.stringify(join(folder, 'rules/words/bad.ts'))}, "\\n\\nexport const title: string = ;");
     writeFileSync(${JSON.stringify(join(folder, 'rules/one.mjs'))}, "import './words/bad.ts';");
     const wrong = await loadRuleSet(config, second).catch(({ message }) => message);
     console.log(JSON.stringify([
       [first, second].map(({ rules }) => rules.at(-1).rule.title),
       same.rules === first.rules, first.version === same.version, first.version === second.version,
       globalThis.seen.length, globalThis.seen[0] === globalThis.seen[1],
       second.own.files.map(({ path }) => path.slice(${folder.length + 1})), wrong,
     ]));`,
  );
  const node = join(import.meta.dirname, '../../node_modules/.bin/node');
  const said = JSON.parse(execFileSync(node, [script], { encoding: 'utf8' }));
  expect(said).toEqual([
    ['first', 'second'],
    true,
    true,
    false,
    2,
    true,
    ['rules/one.mjs', 'rules/words/title.mjs'],
    `rules.files: rules/one.mjs cannot be loaded: Expression expected (${folder}/rules/words/bad.ts line 3)`,
  ]);
});
