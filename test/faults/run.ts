import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { startTestPostgres } from '../../packages/testing/postgres/postgres.global.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { faults } from './registry.ts';

/**
 * `npm run test:faults`: plays faults on real processes, prints what came of each, and writes it to faults-results/ as
 * Markdown and JSON. Ends with 1 on any difference from what must stand. `--points N` shares N points of
 * kill -9 among the services, `--only a,b` plays those alone whose names begin so, `--quick` plays the sizes of CI,
 * `--size N` this one, `--write` puts what was played into FIGURES.md, beside what stands there of the others.
 */
const { values: flags } = parseArgs({
  options: {
    points: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean' },
    size: { type: 'string' },
    write: { type: 'boolean' },
    'upgrade-from': { type: 'string' },
  },
});
const chosen = flags.only?.split(',') ?? [''];
for (const begin of chosen) {
  if (faults.some(({ name }) => name.startsWith(begin))) continue;
  console.error(`there is no fault ${begin}; there are ${faults.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const played = faults.filter(({ name }) => chosen.some((begin) => name.startsWith(begin)));
const deadly = played.filter(({ name }) => name.startsWith('kill9-'));
const allPoints = deadly.reduce((sum, { sizes }) => sum + sizes.full, 0);
function sizeOf(fault: Fault): number {
  if (flags.points !== undefined && deadly.includes(fault))
    return Math.ceil((Number(flags.points) * fault.sizes.full) / allPoints);
  if (flags.size !== undefined) return Number(flags.size);
  return flags.quick ? fault.sizes.ci : fault.sizes.full;
}

const postgres = await startTestPostgres();
const kafka = played.some(({ needsKafka }) => needsKafka) ? await startBrokers({ brokers: 1 }) : null;
const ground: Ground = {
  postgresUrl: postgres.url,
  brokers: kafka?.bootstrap ?? [],
  ...(flags['upgrade-from'] ? { upgradeFrom: flags['upgrade-from'] } : {}),
  say: (text) => process.stderr.write(`  ${text}\n`),
};
type Result = FaultOutcome & { name: string; what: string; seconds: number };
const results: Result[] = [];
try {
  for (const fault of played) {
    process.stderr.write(`${fault.name}: ${fault.what}, ${sizeOf(fault)} ${fault.sizes.unit}\n`);
    const begun = performance.now();
    const outcome = await fault.run(ground, sizeOf(fault)).catch((error: Error): FaultOutcome => {
      return { size: '', compared: '', differences: [`could not be played: ${error.stack}`], figure: '' };
    });
    for (const difference of outcome.differences) process.stderr.write(`  DIFFERS: ${difference}\n`);
    const seconds = Math.round((performance.now() - begun) / 1000);
    results.push({ name: fault.name, what: fault.what, ...outcome, seconds });
  }
} finally {
  await kafka?.close();
  await postgres.stop();
}
report();
if (results.some(({ differences }) => differences.length > 0)) process.exitCode = 1;

function report(): void {
  const machine = `on ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
  const table = tableOf(results);
  console.log(`\n${table}\n\nPlayed by \`npm run test:faults\` ${machine}.`);
  const folder = join(import.meta.dirname, '../../faults-results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'faults.md'), `${table}\n`);
  writeFileSync(join(folder, 'faults.json'), `${JSON.stringify(results, null, 2)}\n`);
  if (flags.write) write(machine);
}

/** Keeps each fault's last playing, so that a table of hours can be played in parts. */
function write(machine: string): void {
  const keptPath = join(import.meta.dirname, 'figures.json');
  const kept = JSON.parse(readFileSync(keptPath, 'utf8')) as Result[];
  const all = faults.flatMap(({ name }) => {
    const last = results.find((of) => of.name === name) ?? kept.find((of) => of.name === name);
    return last === undefined ? [] : [last];
  });
  writeFileSync(keptPath, `${JSON.stringify(all, null, 2)}\n`);
  const pagePath = join(import.meta.dirname, 'FIGURES.md');
  const marked = /(<!-- faults -->)[\s\S]*?(<!-- \/faults -->)/;
  const text = `${tableOf(all)}\n\nPlayed ${machine}.\n`;
  writeFileSync(
    pagePath,
    readFileSync(pagePath, 'utf8').replace(marked, (_, open, close) => `${open}\n${text}${close}`),
  );
}

function tableOf(of: readonly Result[]): string {
  const line = ({ name, what, size, compared, differences, figure, seconds }: Result) => {
    const result = differences.length === 0 ? 'as it must be' : `**${differences.length} differences**`;
    return `| ${[`\`${name}\`: ${what}`, size, compared, result, figure, seconds].join(' | ')} |`;
  };
  return ['| fault | size | compared | result | figure | s |', '|---|---|---|---|---|---|', ...of.map(line)].join('\n');
}
