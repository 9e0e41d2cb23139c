import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtRsigma } from '../bench/peers/rsigma-build.ts';
import type { Cases } from './generate.ts';

/** By RSigma: the places of the records that each rule matches, by the rule's id. A rule that it does not take is absent. */
export async function verdictsOfRsigma({ rules, records }: Cases): Promise<Map<string, number[]>> {
  const folder = await builtRsigma();
  const dir = mkdtempSync(join(tmpdir(), 'tripline-rsigma-'));
  try {
    writeFileSync(join(dir, 'rules.yml'), rules.map(({ text }) => text).join('---\n'));
    const found = new Map<string, number[]>(rules.map(({ id }) => [id, []]));
    const args = [
      'engine',
      'eval',
      '--rules',
      join(dir, 'rules.yml'),
      '--output-format',
      'ndjson',
      '--include-event',
      '--quiet',
    ];
    const input = `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
    const said = execFileSync(join(folder, 'bin/rsigma'), args, { input, encoding: 'utf8', maxBuffer: 1 << 30 });
    for (const line of said.split('\n').filter(Boolean)) {
      const { rule_id, event } = JSON.parse(line) as { rule_id: string; event: { nth: number } };
      found.get(rule_id)!.push(event.nth);
    }
    return found;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
