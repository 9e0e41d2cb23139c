import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifests } from './pack.ts';

/** `npm run --silent sbom`: prints what the package `tripline` contains, as a CycloneDX document (npm writes it). */
function sbom(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-sbom-'));
  try {
    // npm calls a document's subject by its folder.
    const project = join(folder, 'tripline');
    const { manifest, lock } = manifests();
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(project, 'package-lock.json'), JSON.stringify(lock));
    const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
    return execFileSync('npm', args, { cwd: project, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

process.stdout.write(sbom());
