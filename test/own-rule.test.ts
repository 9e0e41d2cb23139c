import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tripline } from '../packages/testing/tripline.ts';

/** A user's own rule, in a folder that has nothing of ours: its tests run by our kit, and Tripline takes it. */
const fixture = join(import.meta.dirname, 'fixtures/own-rule');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-own-rule-'));
  for (const name of readdirSync(fixture)) copyFileSync(join(fixture, name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('its tests run by the kit that tests ours', async () => {
  const { status, out } = await tripline(['rules', 'test', 'deploy-by-stranger.node-test.ts'], {}, folder);
  expect(out).toMatch(/pass 2\b/);
  expect(out).toMatch(/fail 0\b/);
  expect(status).toBe(0);
});

test('a failing test of it fails the command', async () => {
  writeFileSync(
    join(folder, 'wrong.test.ts'),
    `import test from 'node:test';\ntest('wrong', () => { throw new Error('wrong'); });\n`,
  );
  expect((await tripline(['rules', 'test', 'wrong.test.ts'], {}, folder)).status).toBe(1);
});

test('a file without tests is refused, since it would pass', async () => {
  writeFileSync(join(folder, 'attestation.ts'), 'export const rule = {};\n');
  const { status, err } = await tripline(['rules', 'test', 'attestation.ts'], {}, folder);
  expect(status).toBe(2);
  expect(err).toContain('attestation.test.ts');
});

test('tripline.yaml names it, and it is among the rules', async () => {
  writeFileSync(
    join(folder, 'tripline.yaml'),
    'rules:\n  files: [./deploy-by-stranger.ts]\n  settings:\n    deploy-by-stranger: { rota: [ada] }\n',
  );
  const { status, out } = await tripline(['rules', '--json'], {}, folder);
  expect(status).toBe(0);
  expect(out).toContain('"id":"deploy-by-stranger"');
});

test('a setting that it does not know stops the start with its name', async () => {
  writeFileSync(
    join(folder, 'tripline.yaml'),
    'rules:\n  files: [./deploy-by-stranger.ts]\n  settings:\n    deploy-by-stranger: { rotta: [ada] }\n',
  );
  const { status, err } = await tripline(['rules'], {}, folder);
  expect(status).toBe(1);
  expect(err).toContain('rotta');
});
