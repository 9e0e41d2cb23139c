import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findStandalone } from '../packages/runtime/data-folder.ts';
import { isAlive } from '../packages/runtime/processes.ts';

/** `npm start` as a new user has it: npm, the shell that it may need, and Tripline below them. */
const root = join(import.meta.dirname, '..');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-npm-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function npmStart(settings = '') {
  const dataDir = join(folder, 'data');
  const file = join(folder, 'tripline.yaml');
  writeFileSync(file, settings);
  const { PATH, HOME } = process.env;
  const npm = spawn('npm', ['start'], {
    cwd: root,
    env: { PATH, HOME, TRIPLINE_DATA: dataDir, TRIPLINE_PORT: '0', TRIPLINE_CONFIG: file },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk) => (said += chunk));
  const ended = new Promise<number | string>((resolve) => npm.on('exit', (code, signal) => resolve(code ?? signal!)));
  await expect.poll(() => said, { timeout: 60_000, interval: 50 }).toContain('Ctrl-C stops it');
  const { pid } = findStandalone(dataDir)!;
  return { npm, pid, file, ended, said: () => said };
}

it.each(['SIGTERM', 'SIGKILL'] as const)('npm ended by its pid with %s ends Tripline, in order', async (signal) => {
  const { npm, pid, said, ended } = await npmStart();
  expect(pid).not.toBe(npm.pid);
  npm.kill(signal);
  await ended;
  await expect.poll(() => isAlive(pid), { timeout: 20_000, interval: 50 }).toBe(false);
  expect(said()).toContain('Stopped.');
});

it('SIGHUP has it read its settings anew; a file that is wrong changes nothing', async () => {
  const { pid, file, said, npm, ended } = await npmStart('logLevel: info\n');
  expect(said()).toContain(`Settings        ${file}`);
  const hangUp = (settings: string, says: string) => {
    writeFileSync(file, settings);
    process.kill(pid, 'SIGHUP');
    return expect.poll(said, { timeout: 20_000, interval: 50 }).toContain(says);
  };
  await hangUp('logLevel: debug\nretentionDays: 30\n', 'now in force: logLevel; restart to apply retentionDays');
  await hangUp(
    'logLevel: loud\n',
    'those in force stay until the new ones are corrected: logLevel (TRIPLINE_LOG_LEVEL)',
  );
  await hangUp('remediation: { policy: [{ rule: none, actions: [stop-run] }] }\n', 'there is no rule none');
  expect(isAlive(pid)).toBe(true);
  npm.kill('SIGTERM');
  await ended;
  await expect.poll(() => isAlive(pid), { timeout: 20_000, interval: 50 }).toBe(false);
});
