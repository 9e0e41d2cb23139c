import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** The commit before the newest migration came, or undefined where its history is not at hand, as in a shallow clone. */
export function beforeNewestMigration(): string | undefined {
  const newest = readdirSync(join(root, 'migrations'))
    .filter((name) => /^\d{4}_/.test(name))
    .sort()
    .at(-1)!;
  try {
    const added = git('log', '--diff-filter=A', '-1', '--format=%H', '--', `migrations/${newest}`);
    return added === '' ? undefined : git('rev-parse', '--verify', `${added}^`);
  } catch {
    return undefined;
  }
}

/**
 * The program as it was at `revision`, in a folder of its own. It runs on the libraries that are installed now, and on
 * its own rooms.
 */
export function checkOut(revision: string): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-former-'));
  const archive = execFileSync('git', ['archive', revision], { cwd: root, maxBuffer: 1024 ** 3 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@tripline'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@tripline' && name !== '.cache') symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  for (const kind of ['packages', 'services']) {
    for (const name of readdirSync(join(folder, kind))) {
      const manifest = join(folder, kind, name, 'package.json');
      if (!existsSync(manifest)) continue;
      const { name: own } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string };
      symlinkSync(join(folder, kind, name), join(modules, own));
      const nested = join(root, kind, name, 'node_modules');
      if (existsSync(nested)) symlinkSync(nested, join(folder, kind, name, 'node_modules'));
    }
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
