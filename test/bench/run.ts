import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../setup/kafka-broker.ts';
import { root } from './processes.ts';
import { sections } from './sections.ts';
import { markdown, type Row, row } from './table.ts';

/**
 * `npm run bench`: measures on this machine, prints a table, and writes it to bench-results/ as Markdown and JSON.
 * `--only a,b` measures these sections alone; `--quick` measures less, to see that it runs; `--rounds N`; `--write` puts
 * what was measured into test/bench/FIGURES.md, beside what stands there of other sections, and headlines into README.md.
 */
const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const quick = flags.quick;
const rounds = Number(flags.rounds ?? (quick ? 1 : 5));
const names = Object.keys(sections);
const chosen = flags.only?.split(',') ?? names;
for (const name of chosen) {
  if (name in sections) continue;
  console.error(`there is no section ${name}; there are ${names.join(', ')}`);
  process.exit(2);
}

const results: { section: string; rows: Row[] }[] = [];
for (const name of names.filter((known) => chosen.includes(known))) {
  const { what, measure } = sections[name]!;
  process.stderr.write(`${name}: ${what}\n`);
  // A broker of its own for each: what one section left in the topic is nothing to the next.
  const brokers = await startBrokers({ brokers: 1 });
  try {
    results.push({ section: name, rows: await measure({ brokers: brokers.bootstrap.join(','), rounds, quick }) });
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    results.push({ section: name, rows: [row({ what, figure: 'could not be measured' })] });
  } finally {
    await brokers.close();
  }
}
report();

function report(): void {
  const rows = results.flatMap((of) => of.rows);
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const footnote = `Measured by \`npm run bench\` on ${cpus().length} cores (${model}) with broker, database and load on the same machine, Node ${process.versions.node}; medians of ${rounds} interleaved rounds. Ratios travel between machines, absolute figures do not.`;
  const page = (of: readonly Row[]) => `${markdown(of)}\n\n${footnote}\n`;
  console.log(`\n${page(rows)}`);
  const folder = join(root, 'bench-results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bench.md'), page(rows));
  writeFileSync(join(folder, 'bench.json'), `${JSON.stringify({ rounds, model, results }, null, 2)}\n`);
  if (flags.write) write(page);
}

/** Keeps each section's last measuring, so that a long table can be measured in parts. */
function write(page: (rows: readonly Row[]) => string): void {
  const keptPath = join(import.meta.dirname, 'figures.json');
  const kept = JSON.parse(readFileSync(keptPath, 'utf8')) as typeof results;
  const all = names.flatMap((name) => {
    const last = results.find(({ section }) => section === name) ?? kept.find(({ section }) => section === name);
    return last === undefined ? [] : [last];
  });
  writeFileSync(keptPath, `${JSON.stringify(all, null, 2)}\n`);
  const rows = all.flatMap((of) => of.rows);
  replaceIn(join(import.meta.dirname, 'FIGURES.md'), page(rows));
  replaceIn(join(root, 'README.md'), page(rows.filter(({ headline }) => headline)));
}

function replaceIn(path: string, table: string): void {
  const marked = /(<!-- bench -->)[\s\S]*?(<!-- \/bench -->)/;
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(marked, (_, open, close) => `${open}\n${table}${close}`),
  );
}
