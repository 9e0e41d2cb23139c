import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startZombie } from '@tripline/testing/zombie';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { claimDataFolder, DataFolderInUseError, findStandalone, keepSecret, readSecret } from './data-folder.ts';
import { processBegan } from './processes.ts';

let parent: string;
let dataDir: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'tripline-folder-'));
  dataDir = join(parent, 'data');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

it('is made for its owner alone, and says who runs in it', () => {
  const folder = claimDataFolder(dataDir);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  expect(findStandalone(dataDir)).toMatchObject({ pid: process.pid, listening: null });
  const listening = { url: 'http://127.0.0.1:1', operationsUrl: 'http://127.0.0.1:2' };
  folder.announce(listening);
  expect(findStandalone(dataDir)).toMatchObject({ pid: process.pid, listening });
  folder.release();
  expect(findStandalone(dataDir)).toBeNull();
});

it('is refused to a second Tripline while the first lives', () => {
  claimDataFolder(dataDir);
  expect(() => claimDataFolder(dataDir)).toThrow(DataFolderInUseError);
  expect(() => claimDataFolder(dataDir)).toThrow(`process ${process.pid}`);
});

it('is refused, with what to do, where it is a file or lies in one', () => {
  writeFileSync(dataDir, '');
  for (const path of [dataDir, join(dataDir, 'deeper')]) {
    expect(() => claimDataFolder(path)).toThrow(/cannot be the data folder \(E.+\); set TRIPLINE_DATA to another/);
    expect(() => claimDataFolder(path)).toThrow(DataFolderInUseError);
  }
});

it('is taken over from one that was killed, even when its number lives on in another process', () => {
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  claimDataFolder(dataDir).release();
  const file = join(dataDir, 'standalone.json');
  for (const left of [
    { pid: gone, processBegan: '1' },
    { pid: process.pid, processBegan: '1' },
  ]) {
    writeFileSync(file, JSON.stringify({ ...left, listening: null }));
    expect(findStandalone(dataDir)).toBeNull();
    claimDataFolder(dataDir).release();
  }
  writeFileSync(file, '{"pid":');
  claimDataFolder(dataDir).release();
  expect(existsSync(file)).toBe(false);
});

it('is taken over from a zombie, which its parent has not asked after yet', async () => {
  claimDataFolder(dataDir).release();
  const zombie = await startZombie(processBegan);
  const left = { pid: zombie.pid, processBegan: zombie.began, listening: null };
  writeFileSync(join(dataDir, 'standalone.json'), JSON.stringify(left));
  await expect.poll(() => findStandalone(dataDir)).toBeNull();
  claimDataFolder(dataDir).release();
  await zombie.reap();
});

it('keeps one webhook secret, readable to its owner alone', () => {
  claimDataFolder(dataDir);
  expect(readSecret(dataDir, 'webhook-secret')).toBeNull();
  const secret = keepSecret(dataDir, 'webhook-secret');
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(keepSecret(dataDir, 'webhook-secret')).toBe(secret);
  expect(readSecret(dataDir, 'webhook-secret')).toBe(secret);
  expect(statSync(join(dataDir, 'webhook-secret')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(dataDir, 'standalone.json'), 'utf8')).not.toContain(secret);
});
