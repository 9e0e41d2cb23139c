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

/** Every source file of ours with what it imports, as `from` (path) and `to` (a path of ours, or a package's name). */
function imports(): { from: string; to: string }[] {
  const found: { from: string; to: string }[] = [];
  for (const top of ['packages', 'services']) {
    for (const entry of readdirSync(join(root, top), { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !/\.(ts|mjs)$/.test(entry.name) || path.includes('node_modules')) continue;
      const from = relative(root, path);
      for (const match of readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
        const to = match[1]!;
        if (to.startsWith('@tripline/')) {
          const [name] = to.slice('@tripline/'.length).split('/');
          found.push({
            from,
            to: [...folders('packages'), ...folders('services')].find((path) => path.endsWith(`/${name}`))!,
          });
        } else if (to.startsWith('.')) found.push({ from, to: relative(root, join(path, '..', to)) });
        else found.push({ from, to });
      }
    }
  }
  return found;
}
const isTest = (path: string) => path.endsWith('.test.ts') || path.startsWith('packages/testing/');

describe('ARCHITECTURE.md', () => {
  test('its rooms are the folders, all of them and no other', () => {
    const listed = [...read('ARCHITECTURE.md').matchAll(/^\| `((?:services|packages)\/[a-z-]+)` \|/gm)].map(
      (match) => match[1],
    );
    expect([...listed].sort()).toEqual([...folders('services'), ...folders('packages')].sort());
  });

  test('packages never import services, except the CLI; services never each other, except the standalone', () => {
    const wrong = imports().filter(({ from, to }) => {
      if (isTest(from)) return false;
      if (from.startsWith('packages/') && to.startsWith('services/')) return !from.startsWith('packages/cli/');
      if (from.startsWith('services/') && to.startsWith('services/')) {
        return to.split('/')[1] !== from.split('/')[1] && !from.startsWith('services/standalone/');
      }
      return false;
    });
    expect(wrong).toEqual([]);
  });

  test('contracts import nothing of ours', () => {
    const wrong = imports().filter(
      ({ from, to }) =>
        from.startsWith('packages/contracts/') &&
        /^(packages|services)\//.test(to) &&
        !to.startsWith('packages/contracts/'),
    );
    expect(wrong).toEqual([]);
  });

  test('only the Kafka backend knows kafkajs, and only integrations know the services that Tripline calls', () => {
    const wrong = imports().filter(({ from, to }) => {
      if (isTest(from)) return false;
      if (to === 'kafkajs' || to.startsWith('kafkajs/')) return !from.startsWith('packages/stream/kafka/');
      return (
        /^@(slack|octokit)\//.test(to) &&
        !from.startsWith('packages/integrations/') &&
        !from.startsWith('packages/sources/')
      );
    });
    expect(wrong).toEqual([]);
  });
});

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
    'packages/integrations/github/client.ts',
    'packages/integrations/outbound.ts',
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
    for (const [, scenario] of read('README.md').matchAll(/tripline attack ([a-z-]+)/g)) {
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
    expect(await loadRules(config)).toHaveLength(rules.length);
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
