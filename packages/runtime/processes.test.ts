import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { startZombie } from '@tripline/testing/zombie';
import { afterEach, expect, it } from 'vitest';
import { isAlive, isListed, processBegan } from './processes.ts';

let reap: (() => Promise<void>) | undefined;
afterEach(async () => {
  await reap?.();
  reap = undefined;
});

it('a process lives until it has ended, and began when it began', async () => {
  expect(isAlive(process.pid)).toBe(true);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const began = processBegan(child.pid!);
  expect(began).toMatch(/\d/);
  expect(began).not.toBe(processBegan(process.pid));
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isAlive(child.pid!)).toBe(false);
  expect(isListed(child.pid!)).toBe(false);
});

it('a zombie is dead', async () => {
  const zombie = await startZombie();
  reap = zombie.reap;
  await expect.poll(() => isAlive(zombie.pid)).toBe(false);
  expect(isListed(zombie.pid)).toBe(true);
  expect(processBegan(zombie.pid)).toBeNull();
});

it.each([0, -1, Number.NaN, 1.5])('%d is no process', (pid) => expect(isAlive(pid)).toBe(false));

it('asks for none that is long gone', () => {
  expect(isAlive(spawnSync(process.execPath, ['-e', '']).pid)).toBe(false);
});
