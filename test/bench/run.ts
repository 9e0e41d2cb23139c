import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../setup/kafka-broker.ts';
import { benchDetector } from './detector.ts';
import { benchLatency, type Latencies } from './latency.ts';
import { format, median, percentile, ratio, type Series } from './measure.ts';
import { root } from './processes.ts';
import { benchReceiver } from './receiver.ts';

/**
 * `npm run bench`: measures on this machine, prints a table, and writes it to bench-results/ as Markdown and JSON.
 * `--quick` measures less, to see that it runs; `--readme` puts the table into README.md.
 */
const { values: flags } = parseArgs({ options: { quick: { type: 'boolean' }, readme: { type: 'boolean' } } });
const rounds = flags.quick ? 1 : 5;

const say = (what: string) => process.stderr.write(`${what}\n`);
const brokers = await startBrokers({ brokers: 1 });
try {
  const bootstrap = brokers.bootstrap.join(',');
  // First, while the topic holds nothing else.
  say('detector: events judged and committed, beside kafkajs that parses them');
  const detector = await benchDetector({ brokers: bootstrap, deliveries: flags.quick ? 10_000 : 60_000, rounds });
  say('receiver: signed deliveries kept in Kafka, beside bare HTTP');
  const receiver = await benchReceiver({
    brokers: bootstrap,
    deliveries: flags.quick ? 2_000 : 12_000,
    rounds,
    connections: 64,
  });
  say('latency: from the deciding delivery to the call of Slack');
  const latency = await benchLatency({ ratePerSecond: 200, findings: flags.quick ? 3 : 30 });
  report({ receiver, detector, latency });
} finally {
  await brokers.close();
}

function report(results: { receiver: Series[]; detector: Series[]; latency: Latencies }): void {
  const rows = [...against(results.receiver), ...against(results.detector), latencyRow(results.latency)];
  const table = [
    '| what | figure | beside it | ratio, median (min–max) |',
    '|---|---|---|---|',
    ...rows,
    '',
    `Measured by \`npm run bench\` on ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}) with the broker and the load on the same machine, Node ${process.versions.node}; medians of ${rounds} interleaved rounds. Ratios travel between machines, absolute figures do not.`,
  ].join('\n');
  console.log(`\n${table}`);
  const folder = join(root, 'bench-results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bench.md'), `${table}\n`);
  writeFileSync(join(folder, 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
  if (flags.readme) {
    const page = join(root, 'README.md');
    const marked = /(<!-- bench -->)[\s\S]*?(<!-- \/bench -->)/;
    writeFileSync(page, readFileSync(page, 'utf8').replace(marked, `$1\n${table}\n$2`));
  }
}

/** A row for each contestant that ours, the first one, is held against. */
function against([ours, ...others]: Series[]): string[] {
  const figure = (series: Series) => `${format(median(series.values))} ${series.unit}`;
  return others.map((other) => {
    const { median: middle, min, max } = ratio(ours!, other);
    return `| ${ours!.name} | ${figure(ours!)} | ${other.name}: ${figure(other)} | ${format(middle)} (${format(min)}–${format(max)}) |`;
  });
}

function latencyRow({ ratePerSecond, findings, missing, latenciesMs }: Latencies): string {
  const figure =
    latenciesMs.length === 0
      ? 'nothing heard'
      : `p50 ${format(percentile(latenciesMs, 0.5))} ms, p99 ${format(percentile(latenciesMs, 0.99))} ms`;
  return `| deciding delivery → Slack called, one process, ${ratePerSecond} deliveries/s | ${figure} | ${findings} findings, ${missing} missing | |`;
}
