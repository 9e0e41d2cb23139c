import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { rsigmaVersion } from '../bench/peers/rsigma-build.ts';
import { differences, looser } from './compare.ts';
import { brokenCasesOf, casesOf } from './generate.ts';
import { faultsOfPysigma, pysigmaVersion } from './pysigma.ts';
import { verdictsOfRsigma } from './rsigma.ts';

/**
 * `npm run sigma:oracle`: has RSigma evaluate and pySigma parse generated rules, and compares with what we make of them, under
 * `--seeds` seeds. `--write` records the verdicts of the first into verdicts.json, which the tests hold us to without either.
 */
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '10' }, write: { type: 'boolean', default: false } },
});
const counts = { rules: 300, records: 100 };
let wrong = 0;
for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
  const cases = casesOf(seed, counts);
  const verdicts = await verdictsOfRsigma(cases);
  const broken = brokenCasesOf(seed, counts.rules);
  const faults = await faultsOfPysigma(broken);
  const found = [...differences(cases, verdicts), ...looser(broken, faults)];
  for (const one of found.slice(0, 5)) process.stdout.write(`${one}\n\n`);
  process.stdout.write(`seed ${seed}: ${counts.rules} rules, ${found.length} differ\n`);
  wrong += found.length;
  if (seed > 1 || !values.write) continue;
  const taken = broken.filter(({ id }) => faults[id] === null).map(({ id }) => id);
  const recorded = { rsigma: rsigmaVersion, pysigma: pysigmaVersion, seed, ...counts, sha256: cases.sha256 };
  const matched = Object.fromEntries(verdicts);
  writeFileSync(join(import.meta.dirname, 'verdicts.json'), `${JSON.stringify({ ...recorded, matched, taken })}\n`);
}
process.exitCode = wrong === 0 ? 0 : 1;
