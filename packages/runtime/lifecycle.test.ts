import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { createLifecycle } from './lifecycle.ts';
import { createLogger } from './logger.ts';

function written() {
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', level: 'info' }, { write: (line: string) => void lines.push(line) });
  return { lines, logger };
}

it('closes in reverse, once, however often it is asked', async () => {
  const { logger } = written();
  const lifecycle = createLifecycle(logger);
  const closed: string[] = [];
  expect(lifecycle.opened('first', 1, () => void closed.push('first'))).toBe(1);
  lifecycle.opened('second', 2, async () => void closed.push('second'));
  await Promise.all([lifecycle.close(), lifecycle.close()]);
  await lifecycle.close();
  expect(closed).toEqual(['second', 'first']);
});

it('goes on when one thing cannot be closed, and says which', async () => {
  const { lines, logger } = written();
  const lifecycle = createLifecycle(logger);
  const closed: string[] = [];
  lifecycle.opened('pool', null, () => void closed.push('pool'));
  lifecycle.opened('socket', null, () => {
    throw new Error('stuck');
  });
  await lifecycle.close();
  expect(closed).toEqual(['pool']);
  expect(lines.join()).toContain('closing socket failed');
});

it('keeps secrets out of log lines', () => {
  const { lines, logger } = written();
  logger.info({ token: 'canary', inner: { password: 'canary', deep: { privateKey: 'canary' } } }, 'said');
  expect(lines.join()).toContain('[secret]');
  expect(lines.join()).not.toContain('canary');
});

const waiting = `
  import { stopSignal } from ${JSON.stringify(new URL('./lifecycle.ts', import.meta.url).href)};
  const kept = setInterval(() => {}, 1000);
  const asked = stopSignal();
  console.log('waiting');
  console.log(await asked);
  if (process.argv[1] === 'stops') clearInterval(kept);
`;

function startWaiting(then: 'stops' | 'hangs') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', waiting, then], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  return { child, ended, said: () => text };
}

it('stops on the first signal, and takes the copies of it that a terminal and npm send for one', async () => {
  const { child, ended, said } = startWaiting('stops');
  await expect.poll(said, { interval: 10, timeout: 10_000 }).toContain('waiting');
  child.kill('SIGINT');
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(said()).toContain('SIGINT');
});

it('ends at once on a second signal that comes later', async () => {
  const { child, ended, said } = startWaiting('hangs');
  await expect.poll(said, { interval: 10, timeout: 10_000 }).toContain('waiting');
  child.kill('SIGTERM');
  await expect.poll(said, { interval: 10, timeout: 10_000 }).toContain('SIGTERM');
  const repeat = setInterval(() => child.kill('SIGTERM'), 100);
  expect(await ended).toBe(130);
  clearInterval(repeat);
});
