import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { faultOfOwnership } from './ownership.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-owner-'));
  file = join(folder, 'tripline.yaml');
  writeFileSync(file, '', { mode: 0o644 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.geteuid?.() === 0;
const stranger = 54_321;

describe('a file is believed', () => {
  it('that is ours alone, below folders of ours and of root, in /tmp too', () => {
    expect(faultOfOwnership(file)).toBeNull();
  });

  it('that others may read', () => {
    chmodSync(folder, 0o755);
    chmodSync(file, 0o444);
    expect(faultOfOwnership(file)).toBeNull();
  });

  it('by a link of ours', () => {
    mkdirSync(join(folder, 'inner'));
    symlinkSync('../tripline.yaml', join(folder, 'inner/link.yaml'));
    expect(faultOfOwnership(join(folder, 'inner/link.yaml'))).toBeNull();
  });

  // A mount of our own needs a user namespace or root.
  const mount = (script: string) =>
    execFileSync('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-ec', script], {
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        NODE: process.execPath,
        CODE: `import { faultOfOwnership } from ${JSON.stringify(new URL('./ownership.ts', import.meta.url).href)};
          console.log(JSON.stringify(faultOfOwnership('/mnt/tripline.yaml')));`,
      },
    });
  const canMount = (() => {
    try {
      mount('mount -t tmpfs none /mnt');
      return true;
    } catch {
      return false;
    }
  })();

  it.runIf(canMount)('as Kubernetes mounts a ConfigMap, and not where the mount can be written', () => {
    const check = '"$NODE" --input-type=module -e "$CODE"';
    const made = [
      'mount -t tmpfs -o mode=0777 none /mnt',
      'mkdir /mnt/..2026',
      'echo > /mnt/..2026/tripline.yaml',
      'ln -s ..2026 /mnt/..data',
      'ln -s ..data/tripline.yaml /mnt/tripline.yaml',
    ];
    const said = mount([...made, check, 'mount -o remount,ro /mnt', check].join('\n'))
      .trim()
      .split('\n');
    expect(said).toEqual([expect.stringContaining('/mnt can be written by everybody'), 'null']);
  });
});

describe('a file is not believed', () => {
  it.each([
    [0o666, 'can be written by everybody: chmod go-w it'],
    [0o646, 'can be written by everybody'],
  ])('of mode %o', (mode, says) => {
    chmodSync(file, mode);
    expect(faultOfOwnership(file)).toContain(`${file} ${says}`);
  });

  it('in a folder that others may write, or below one', () => {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    renameSync(file, join(inner, 'tripline.yaml'));
    chmodSync(folder, 0o777);
    expect(faultOfOwnership(join(inner, 'tripline.yaml'))).toContain(`${folder} can be written by everybody`);
  });

  it('by a link into a folder that others may write', () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    writeFileSync(join(open, 'other.yaml'), '');
    rmSync(file);
    symlinkSync('open/other.yaml', file);
    expect(faultOfOwnership(file)).toContain(`${open} can be written by everybody`);
  });

  it('when links lead in a circle, and it says so when there is none', () => {
    rmSync(file);
    symlinkSync('tripline.yaml', file);
    expect(faultOfOwnership(file)).toContain('leads in a circle');
    expect(() => faultOfOwnership(join(folder, 'none'))).toThrow('ENOENT');
  });

  describe.runIf(isRoot)('of another user', () => {
    it('whatever its mode', () => {
      chownSync(file, stranger, stranger);
      chmodSync(file, 0o400);
      expect(faultOfOwnership(file)).toContain(`${file} belongs to another user (id ${stranger})`);
    });

    it('in a folder or by a link of another user', () => {
      chownSync(folder, stranger, stranger);
      expect(faultOfOwnership(file)).toContain(`${folder} belongs to another user`);
      chownSync(folder, 0, 0);
      symlinkSync('tripline.yaml', join(folder, 'link'));
      lchownSync(join(folder, 'link'), stranger, stranger);
      expect(faultOfOwnership(join(folder, 'link'))).toContain('link belongs to another user');
    });

    it('that a group of several may write, but one that a group of its owner alone may', () => {
      chownSync(file, 0, stranger);
      chmodSync(file, 0o664);
      expect(faultOfOwnership(file)).toContain(`can be written by all of group ${stranger}: chmod g-w it`);
    });
  });
});
