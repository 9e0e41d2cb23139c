import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLogFile } from './log-file.ts';

test('a disk that is full costs lines of the log, is said once, and ends nobody', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-log-'));
  // Linux answers every write there with ENOSPC.
  symlinkSync('/dev/full', join(dataDir, 'tripline.log'));
  const said: string[] = [];
  const log = openLogFile({ service: 'test', dataDir, level: 'info', warn: (text) => said.push(text) });
  for (let nth = 0; nth < 3; nth += 1) {
    log.logger.info({ nth }, 'something');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  expect(said).toEqual([
    expect.stringMatching(/^the log file .*tripline\.log cannot be written \(ENOSPC\): .* is lost/),
  ]);
  rmSync(dataDir, { recursive: true });
});

test('what several parts say of one cause is shown once', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-log-'));
  const shown: string[] = [];
  const log = openLogFile({ service: 'test', dataDir, level: 'info', warn: (text) => shown.push(text) });
  for (const group of ['detector', 'recorder', 'detector']) {
    log.logger.warn({ group, err: new Error('connect ECONNREFUSED') }, 'heartbeat failed');
  }
  await log.close();
  expect(shown).toEqual(['heartbeat failed: connect ECONNREFUSED']);
  const lines = readFileSync(join(dataDir, 'tripline.log'), 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).group)).toEqual(['detector', 'recorder']);
  rmSync(dataDir, { recursive: true });
});
