import { type SpawnOptions, spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
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

it('stops without what does not close in time, says which, and ends the process', async () => {
  const { lines, logger } = written();
  const exited = Promise.withResolvers<void>();
  const lifecycle = createLifecycle(logger, { limitMs: 20, lingerMs: 1, exit: exited.resolve });
  const closed: string[] = [];
  lifecycle.opened('pool', null, () => void closed.push('pool'));
  lifecycle.opened('worker', null, () => new Promise<void>(() => {}));
  await lifecycle.close();
  expect(closed).toEqual(['pool']);
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'closing worker takes longer than 0.02 s; stopping without it',
  ]);
  await exited.promise;
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
  // What stops has something to close; a copy that came once all is closed would find nobody.
  if (process.argv[1] === 'stops') setTimeout(() => clearInterval(kept), 200);
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

/** Runs a module that has everything of lifecycle.ts in reach. */
function startModule(code: string, options: SpawnOptions = {}) {
  const program = `
    import * as lifecycle from ${JSON.stringify(new URL('./lifecycle.ts', import.meta.url).href)};
    ${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'pipe', ...options });
  const said = { out: '', err: '' };
  child.stdout!.on('data', (chunk) => {
    said.out += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    said.err += chunk;
  });
  const ended = new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal!)),
  );
  return { child, said, ended };
}

describe('when whoever reads the output has gone', () => {
  const talk = `setInterval(() => process.stdout.write('x'.repeat(1000)), 1);`;

  it('a command ends without a word', async () => {
    const { child, said, ended } = startModule(`lifecycle.endWithReader(); ${talk}`);
    child.stdout!.destroy();
    expect(await ended).toBe(141);
    expect(said.err).toBe('');
  });

  it('what runs until it is stopped stops in order', async () => {
    const { child, said, ended } = startModule(`
      lifecycle.endWithReader();
      const stop = lifecycle.stopSignal();
      ${talk}
      console.error(await stop);
      process.exit(0);`);
    child.stdout!.destroy();
    expect(await ended).toBe(0);
    expect(said.err).toBe('nobody reads the output\n');
  });
});

it('a hang-up has settings read anew, as often as it comes, and ends nothing', async () => {
  const { child, said, ended } = startModule(`
    lifecycle.onHangUp(() => console.log('read anew'));
    const kept = setInterval(() => {}, 1000);
    const stop = lifecycle.stopSignal().finally(() => clearInterval(kept));
    console.log('ready');
    console.log(await stop);`);
  await expect.poll(() => said.out, { timeout: 10_000, interval: 10 }).toContain('ready');
  for (const times of [1, 2]) {
    child.kill('SIGHUP');
    await expect.poll(() => said.out.split('read anew').length - 1, { timeout: 10_000, interval: 10 }).toBe(times);
  }
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(said.out).toContain('SIGTERM');
});
