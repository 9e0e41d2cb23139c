import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
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
