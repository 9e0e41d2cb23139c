import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { built } from '../bench/peers/build-cache.ts';
import { prepare } from '../bench/peers/peer.ts';
import type { Cases } from './generate.ts';

export const pysigmaVersion = '2.0.1';

/** By pySigma: why it does not take a rule, by the rule's id; null where it does. Needs Python and pip, which fetches it once. */
export async function faultsOfPysigma(rules: Cases['rules']): Promise<Record<string, string | null>> {
  const folder = await built('pysigma', [pysigmaVersion], (draft) =>
    prepare('pip', ['install', '--quiet', '--target', draft, `pysigma==${pysigmaVersion}`]),
  );
  const said = execFileSync('python3', [join(import.meta.dirname, 'pysigma.py')], {
    ...{ input: JSON.stringify(rules), encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] },
    env: { ...process.env, PYTHONPATH: folder },
  });
  return JSON.parse(said) as Record<string, string | null>;
}
