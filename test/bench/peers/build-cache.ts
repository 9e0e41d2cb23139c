import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../processes.ts';

/**
 * A folder of what was built from `sources` (files, and folders with all that is in them), made by `build` unless it is
 * there. It appears in one step, so that an interrupted build never passes for a whole one.
 */
export async function built(
  name: string,
  sources: readonly string[],
  build: (folder: string) => Promise<unknown>,
): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) addTo(hash, source);
  const folder = join(root, '.cache/peers', name, hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(dirname(draft), { recursive: true });
  process.stderr.write(`  building ${name}, once\n`);
  try {
    await build(draft);
    renameSync(draft, folder);
  } catch (error) {
    // Lost against another run that built the same: theirs will do.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

function addTo(hash: ReturnType<typeof createHash>, path: string): void {
  if (!existsSync(path)) {
    hash.update(path);
    return;
  }
  if (!statSync(path).isDirectory()) {
    hash.update(readFileSync(path));
    return;
  }
  for (const entry of readdirSync(path).sort()) {
    hash.update(entry);
    addTo(hash, join(path, entry));
  }
}
