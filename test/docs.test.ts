import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands } from '../packages/cli/table.ts';
import { loadConfig } from '../packages/config/config.ts';
import { environment } from '../packages/config/settings.ts';
import { renderSettings } from '../packages/config/settings-page.ts';
import { renderChecks } from '../packages/contracts/checks-page.ts';
import { rules } from '../packages/rules/registry.ts';
import { scenarios } from '../packages/scenarios/registry.ts';
import { loadRules } from '../services/detector/load-rules.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const folders = (path: string) =>
  readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => `${path}/${entry.name}`);

const isTest = (path: string) => path.endsWith('.test.ts') || path.startsWith('packages/testing/');

describe('DECISIONS.md', () => {
  const pages = [...folders('packages'), ...folders('services'), 'test']
    .map((room) => `${room}/DECISIONS.md`)
    .filter((path) => existsSync(join(root, path)));
  const entries = pages.flatMap((page) =>
    read(page)
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => ({ page, text: text.trim(), number: Number(/^## (\d+)\. /.exec(text)?.[1]) })),
  );

  test('of all rooms number each decision once, and tell it in twelve lines', () => {
    const numbers = entries.map(({ number }) => number).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, place) => place + 1));
    for (const { page, text, number } of entries) {
      expect(text.split('\n').filter((line) => line !== '').length, `${page} ${number}`).toBeLessThanOrEqual(12);
    }
    for (const page of pages) {
      const own = entries.filter((entry) => entry.page === page).map(({ number }) => number);
      expect(own, page).toEqual([...own].sort((a, b) => a - b));
    }
  });

  test('name what holds each, which is there', () => {
    for (const { page, text, number } of entries) {
      const [, held, status] = /Held by: ([^\n]+(?:\n[^\n]+)*?)\. Status: ([^\n]+)\.$/.exec(text) ?? [];
      expect(status, `${page} ${number}`).toMatch(/^(in force|replaced by \d+)$/);
      const paths = [...held!.matchAll(/(?:packages|services|test)\/[\w./-]+\w/g)].map(([path]) => path);
      expect(paths.length, `${page} ${number}`).toBeGreaterThan(0);
      for (const path of paths) expect(existsSync(join(root, path)), `${page} ${number}: ${path}`).toBe(true);
    }
  });
});

test('ARCHITECTURE.md has at most 150 lines', () => {
  expect(read('ARCHITECTURE.md').split('\n').length).toBeLessThanOrEqual(150);
});

test('nothing calls out but by packages/integrations/outbound.ts, except the CLI what its user named', () => {
  const callers = ['packages', 'services'].flatMap((top) =>
    readdirSync(join(root, top), { withFileTypes: true, recursive: true }).flatMap((entry) => {
      const path = relative(root, join(entry.parentPath, entry.name));
      if (!entry.isFile() || !/\.(ts|mjs)$/.test(path) || path.includes('node_modules') || isTest(path)) return [];
      const calls =
        /\bfetch\(|(?<!typeof )globalThis\.fetch\b|\b(?:http|https|net|tls|dgram)\.(?:request|get|connect)\(|'undici'/;
      return calls.test(read(path)) ? [path] : [];
    }),
  );
  expect(callers.sort()).toEqual([
    'packages/cli/attack/deliver.ts',
    'packages/cli/doctor/local.ts',
    'packages/integrations/outbound.ts',
    // Runs in a browser, and asks the page's own origin.
    'services/broker/pages/passkey-script.ts',
  ]);
});

test('CHECKS.md says what the code says (`npm run docs` writes it)', () => {
  expect(read('packages/contracts/CHECKS.md')).toBe(renderChecks());
});

describe('SETTINGS.md', () => {
  test('says what the code says (`npm run docs` writes it)', () => {
    expect(read('packages/config/SETTINGS.md')).toBe(renderSettings());
  });

  test('every environment variable overrides a setting that there is, and every setting is explained', () => {
    const page = renderSettings();
    for (const { name, path } of environment) expect(page).toContain(`| \`${path}\` | \`${name}\``);
    expect(page.split('\n').filter((line) => line.startsWith('| `') && line.endsWith('|  |'))).toEqual([]);
  });
});

describe('README.md', () => {
  test('names no command and no scenario that there is not', () => {
    const table = new Set(commands.map(({ name }) => name));
    const named = [...read('README.md').matchAll(/(?:npx )?tripline ([a-z][a-z-]*(?:\\\|[a-z-]+)*)/g)].flatMap(
      (match) => match[1]!.split('\\|'),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !table.has(name))).toEqual([]);
    for (const [, scenario] of read('README.md').matchAll(/tripline attack ([a-z][a-z-]*)/g)) {
      expect(scenarios.map(({ id }) => id)).toContain(scenario);
    }
  });

  test('its tripline.yaml is one that Tripline takes', async () => {
    const [, block] = /```yaml\n([\s\S]*?)```/.exec(read('README.md'))!;
    const folder = mkdtempSync(join(tmpdir(), 'tripline-readme-'));
    writeFileSync(join(folder, 'tripline.yaml'), block!.replaceAll(/^ {3}/gm, ''));
    const config = loadConfig(
      { TRIPLINE_SLACK_BOT_TOKEN: 'x'.repeat(16), TRIPLINE_SLACK_SIGNING_SECRET: 'y'.repeat(16) },
      folder,
    );
    rmSync(folder, { recursive: true });
    expect(config.remediation.policy).toHaveLength(1);
    expect(await loadRules(config)).toHaveLength(rules.filter(({ offByDefault }) => offByDefault === undefined).length);
  });

  test('its links lead to files', () => {
    for (const page of [
      'README.md',
      'CONTRIBUTING.md',
      'ARCHITECTURE.md',
      'OPERATING.md',
      'SECURITY.md',
      'CHANGELOG.md',
    ]) {
      for (const [, path] of read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g))
        expect(existsSync(join(root, path!)), path).toBe(true);
    }
  });
});
