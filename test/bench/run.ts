import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { root } from './processes.ts';
import { sections } from './sections.ts';
import { markdown, type Row, row } from './table.ts';

/**
 * `npm run bench`: measures on this machine, prints a table, and writes it to bench-results/ as Markdown and JSON.
 * `--only a,b` measures these sections alone; `--quick` measures less, to see that it runs; `--rounds N`; `--write` puts
 * what was measured into test/bench/FIGURES.md, beside what stands there of other sections.
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

type Measured = { section: string; rounds: number; rows: Row[] };
const results: Measured[] = [];
for (const name of names.filter((known) => chosen.includes(known))) {
  const { what, measure } = sections[name]!;
  process.stderr.write(`${name}: ${what}\n`);
  // A broker of its own for each: what one section left in the topic is nothing to the next.
  const brokers = await startBrokers({ brokers: 1 });
  try {
    const rows = await measure({ brokers: brokers.bootstrap.join(','), rounds, quick });
    results.push({ section: name, rounds, rows });
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    results.push({ section: name, rounds, rows: [row({ what, figure: 'could not be measured' })] });
  } finally {
    await brokers.close();
  }
}
report();

function report(): void {
  const folder = join(root, 'bench-results');
  console.log(`\n${page(results)}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bench.md'), page(results));
  writeFileSync(
    join(folder, 'bench.json'),
    `${JSON.stringify({ rounds, model: cpus()[0]?.model, results }, null, 2)}\n`,
  );
  if (flags.write) write();
}

/** The rows that `shown` takes, and how they were measured. */
function page(measured: readonly Measured[], shown: (row: Row) => boolean = () => true): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const counts = measured.map((of) => of.rounds);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const footnote = `Measured by \`npm run bench\` on ${cpus().length} cores (${model}) with broker, database and load on the same machine, Node ${process.versions.node}; medians of ${least === most ? least : `${least} to ${most}`} interleaved rounds. Ratios travel between machines, absolute figures do not.`;
  return `${markdown(measured.flatMap((of) => of.rows).filter(shown))}\n\n${footnote}\n`;
}

/** Keeps each section's last measuring, so that a long table can be measured in parts. */
function write(): void {
  const keptPath = join(import.meta.dirname, 'figures.json');
  const kept = JSON.parse(readFileSync(keptPath, 'utf8')) as Measured[];
  const all = names.flatMap((name) => {
    const last = results.find(({ section }) => section === name) ?? kept.find(({ section }) => section === name);
    return last === undefined ? [] : [last];
  });
  writeFileSync(keptPath, `${JSON.stringify(all, null, 2)}\n`);
  const figures = join(import.meta.dirname, 'FIGURES.md');
  replaceIn(figures, 'bench', page(all));
  const goals = page(all, ({ headline }) => headline);
  replaceIn(figures, 'goals', goals);
}

function replaceIn(path: string, mark: string, table: string): void {
  const page = readFileSync(path, 'utf8');
  const from = page.indexOf(`<!-- ${mark} -->`);
  const to = page.indexOf(`<!-- /${mark} -->`);
  writeFileSync(path, `${page.slice(0, from)}<!-- ${mark} -->\n${table}${page.slice(to)}`);
}
