import { execFile, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { processesNaming } from '@tripline/testing/tripline';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The npm package as its user meets it: packed, installed into an empty folder, and nothing of the checkout near it. */
const root = join(import.meta.dirname, '..');
const exec = promisify(execFile);
let folder: string;
let env: Record<string, string>;
const tripline = (...args: string[]) =>
  exec(process.execPath, [join(folder, 'node_modules/tripline/packages/cli/tripline.mjs'), ...args], {
    cwd: folder,
    env,
  });

type Lock = { packages: Record<string, { version: string; integrity: string }> };
const entries = ({ packages }: Lock) =>
  Object.entries(packages).flatMap(([place, { version, integrity }]) => {
    const name = place.split('node_modules/').at(-1)!;
    return place.includes('node_modules/') && !name.startsWith('@tripline/') ? [{ name, version, integrity }] : [];
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-packed-'));
  // Whoever runs this as root has Postgres run as another user, who must reach its programs.
  chmodSync(folder, 0o755);
  env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    TRIPLINE_PORT: '0',
    TRIPLINE_OPERATIONS_PORT: '0',
  };
  const out = join(folder, 'out');
  const packed = await exec(process.execPath, [join(root, 'packages/cli/release/pack.ts'), '--to', out], {
    cwd: folder,
  });
  writeFileSync(join(folder, 'package.json'), '{ "name": "a-user", "private": true }');
  const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', packed.stdout.trim()];
  await exec('npm', install, { cwd: folder });
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('holds JavaScript, its types, and the versions of the lock; no test and nothing that tests need', async () => {
  const place = join(folder, 'node_modules/tripline');
  const files = readdirSync(place, { recursive: true, encoding: 'utf8' });
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'packages/contracts/rule.d.ts']));
  const sources = files.filter((name) => /(?<!\.d)\.ts$|\.test\.|fakes|conformance/.test(name));
  expect(sources.filter((name) => !name.startsWith('examples/'))).toEqual([]);
  // Every dependency is where Node looks for it.
  await exec('npm', ['ls', '--all', '--omit=dev'], { cwd: folder });
  const own: Lock = JSON.parse(readFileSync(join(place, 'npm-shrinkwrap.json'), 'utf8'));
  const ours: Lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const known = new Set(entries(ours).map(({ name, version, integrity }) => `${name} ${version} ${integrity}`));
  expect(entries(own).length).toBeGreaterThan(50);
  for (const { name, version, integrity } of entries(own)) {
    expect(integrity, name).toMatch(/^sha512-/);
    expect(known, name).toContain(`${name} ${version} ${integrity}`);
  }
  // npm takes it for the lock of what the package asks for.
  await exec('npm', ['ci', '--dry-run', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], {
    cwd: place,
  });
});

test('holds every page to which one of its pages leads', () => {
  const place = join(folder, 'node_modules/tripline');
  const pages = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.md') && !name.includes('node_modules'),
  );
  expect(pages).toEqual(expect.arrayContaining(['CONTRIBUTING.md', 'packages/config/SETTINGS.md']));
  const dead = pages.flatMap((page) =>
    [...readFileSync(join(place, page), 'utf8').matchAll(/\]\(([^)#:\s]+\.md)(?:#[^)]*)?\)/g)]
      .map(([, target]) => join(place, dirname(page), target!))
      .filter((target) => !existsSync(target)),
  );
  expect(dead).toEqual([]);
});

test('starts, finds an attack, keeps quiet at its honest twin, and says that nothing is broken', async () => {
  const up = spawn(process.execPath, [join(folder, 'node_modules/tripline/packages/cli/tripline.mjs'), 'up'], {
    cwd: folder,
    env,
  });
  let said = '';
  for (const stream of [up.stdout, up.stderr]) stream.on('data', (chunk) => (said += chunk));
  const ended = new Promise((resolve) => up.on('exit', resolve));
  try {
    await expect.poll(() => said, { timeout: 60_000, interval: 50 }).toMatch(/Ctrl-C stops it|tripline: /);
    expect(said).not.toContain('tripline: ');
    const played = await tripline('attack', 'tj-actions', '--json');
    expect(JSON.parse(played.stdout.trim().split('\n').at(-1)!)).toMatchObject({ what: 'verdict', ok: true });
    await tripline('attack', 'tj-actions', '--benign');
    expect((await tripline('doctor')).stdout).toContain('Nothing is broken.');
  } finally {
    up.kill('SIGINT');
    await ended;
  }
  expect(said).toContain('Stopped.');
  expect(processesNaming(folder)).toEqual([]);
});

test('takes a rule of one’s own, which imports its types from the package, and runs its tests', async () => {
  const example = join(folder, 'node_modules/tripline/examples/own-rule');
  cpSync(example, join(folder, 'rules'), { recursive: true });
  expect((await tripline('rules', 'test', 'rules/deploy-by-stranger.test.ts')).stdout).toMatch(/pass 2\b/);
  writeFileSync(join(folder, 'tripline.yaml'), 'rules:\n  files: [rules]\n');
  expect((await tripline('rules', '--json')).stdout).toContain('"id":"deploy-by-stranger"');
  const options = { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, skipLibCheck: true };
  const types = {
    ...options,
    allowImportingTsExtensions: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: types, files: ['rules/deploy-by-stranger.ts'] }),
  );
  await exec(join(root, 'node_modules/.bin/tsc'), ['-p', folder]);
});

test('its SBOM names each package of its lock, with the hash', async () => {
  const { stdout } = await exec(process.execPath, [join(root, 'packages/cli/release/sbom.ts')], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const sbom = JSON.parse(stdout);
  expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'tripline' } } });
  const named = new Set(sbom.components.map((one: { name: string; version: string }) => `${one.name} ${one.version}`));
  const locked: Lock = JSON.parse(readFileSync(join(folder, 'node_modules/tripline/npm-shrinkwrap.json'), 'utf8'));
  expect(named).toEqual(new Set(entries(locked).map(({ name, version }) => `${name} ${version}`)));
  for (const component of sbom.components) {
    expect(component.purl, component.name).toMatch(/^pkg:npm\//);
    expect(component.hashes?.[0]?.content, component.name).toMatch(/^[0-9a-f]{128}$/);
  }
});
