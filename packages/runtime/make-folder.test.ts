import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from './make-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-make-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('makes what is missing, for its owner alone, and leaves what is there', () => {
  const path = join(folder, 'a', 'b', 'c');
  makeFolder(path, 0o700);
  makeFolder(path, 0o777);
  for (const made of [join(folder, 'a'), path]) expect(statSync(made).mode & 0o777).toBe(0o700);
  symlinkSync(path, join(folder, 'link'));
  makeFolder(join(folder, 'link', 'd'));
  expect(statSync(join(path, 'd')).isDirectory()).toBe(true);
  makeFolder(join(folder, 'link'));
  makeFolder('/');
});

it('throws where a file is in the way', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(() => makeFolder(file)).toThrow('EEXIST');
  expect(() => makeFolder(join(file, 'a', 'b'))).toThrow('ENOTDIR');
});

it.runIf(process.platform === 'linux')('ends where nothing can be made in a folder that is there', () => {
  const script = `import { makeFolder } from '${join(import.meta.dirname, 'make-folder.ts')}';
    try { makeFolder('/proc/x/y'); } catch (error) { console.log(error.code); }`;
  const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    ...{ encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' },
  });
  expect([stdout, signal]).toEqual(['ENOENT\n', null]);
});
